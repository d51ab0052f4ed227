// What an idle node costs the server: counted there, by the statistics of a user of its own.
#include "disttask/executor/manager.hpp"
#include "disttask/executor/node_poller.hpp"
#include "disttask/planning/planning_service.hpp"
#include "disttask/scheduler/scheduler_service.hpp"

#include "support/counted_pool.hpp"
#include "support/fake_clock.hpp"
#include "support/test_store.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

using namespace disttask;
using namespace std::chrono_literals;
using test::eventually;
using test::TestStore;

namespace {

/// A user whose statements the server counts.
class CountedUser {
 public:
  explicit CountedUser(TestStore& store) : store_(store), name_("u_" + store.schema()) {
    before_ = store_.scalar("select @@global.userstat");
    store_.execute("set global userstat = 1");
    store_.execute("create user '" + name_ + "'@'%'");
    store_.execute("grant all on `" + store.schema() + "`.* to '" + name_ + "'@'%'");
  }
  ~CountedUser() {
    store_.execute("drop user '" + name_ + "'@'%'");
    store_.execute("set global userstat = " + before_);
  }
  CountedUser(const CountedUser&) = delete;
  CountedUser& operator=(const CountedUser&) = delete;

  [[nodiscard]] std::int64_t numSelects() const { return count("select_commands"); }
  [[nodiscard]] std::int64_t numUpdates() const { return count("update_commands"); }
  [[nodiscard]] storage::mysql::StoreSettings settings() const {
    auto settings = store_.settings();
    settings.connect.user = name_;
    settings.connect.password = nullptr;
    return settings;
  }

 private:
  [[nodiscard]] std::int64_t count(const std::string& column) const {
    const auto text =
        store_.scalar("select " + column + " from information_schema.user_statistics where user = '" + name_ + "'");
    return text.empty() ? 0 : std::stoll(text);
  }
  TestStore& store_;
  std::string name_;
  std::string before_;
};

executor::ExecutorSettings executorSettings() {
  executor::ExecutorSettings settings;
  settings.exec_id = "a";
  return settings;
}

planning::PlanningSettings planningSettings() {
  planning::PlanningSettings settings;
  settings.exec_id = "a";
  settings.looks_by_itself = false;
  return settings;
}

/// A follower with all its parts but the lease, whose time the test leads.
struct Follower {
  explicit Follower(storage::mysql::Store& store_in) : store(store_in) {
    poller.subscribe([this](const storage::NodePoll& seen) {
      scheduler.takePoll(seen);
      return planner.takePoll(seen);
    });
    poller.subscribe([this](const storage::NodePoll& seen) { return manager.takePoll(seen); });
  }
  /// Lets so many seconds pass, in steps that no round is longer than.
  void pass(int seconds) {
    for (int i = 0; i < seconds * 2; ++i) {
      clock.advance(500ms);
      REQUIRE(eventually([&] { return pool.pending == 0; }));
    }
  }

  storage::mysql::Store& store;
  test::FakeClock clock;
  test::FakeTimers timers{clock};
  test::CountedPool pool;
  runtime::ThreadPool work{"work", 2, 0, {}};
  executor::EndlessLease lease;
  executor::TaskExecutorRegistry registry;
  plugin::TaskTypes types;
  executor::NodePoller poller{{"a"}, store.pollTable(), clock, timers, pool};
  executor::Manager manager{
      executorSettings(), {store.taskTable(), registry, clock, timers, pool, work, lease, [this] { poller.nudge(); }}};
  planning::PlanningService planner{
      planningSettings(),
      {store.planTable(), store.nodeTable(), store.taskTable(), types, clock, timers, pool, work, nullptr}};
  scheduler::SchedulerService scheduler{
      {store.nodeTable(),
       store.schedulerTable(),
       clock,
       timers,
       pool,
       "a",
       [this] { return std::optional(clock.now()); },
       nullptr},
      {}};
};

}  // namespace

TEST_CASE("A poll of an idle follower is one statement, and the role costs it next to none", "[db][poll]") {
  TestStore store;
  if (store.connect()->flavour() != sqlclient::Flavour::kMariaDb) {
    WARN("this server does not count statements by user");
    return;
  }
  CountedUser user(store);
  // Somebody else has the role, and keeps it.
  const auto owner = store->schedulerTable().takeOwnership({}, "other", store->schedulerTable().getOwner({}));
  REQUIRE(owner);
  const auto renew = [&] { REQUIRE(store->schedulerTable().renewOwnership({}, *owner)); };
  storage::mysql::Store counted(user.settings(), runtime::systemClock());
  counted.taskTable().initMeta({}, "a", "disttask", 1);
  Follower follower(counted);
  follower.manager.start();
  follower.planner.start();
  follower.poller.start();
  follower.pass(10);

  // Some servers count an executed prepared statement twice: what one query of ours counts here.
  const auto begin = user.numSelects();
  for (int i = 0; i < 10; ++i) static_cast<void>(counted.taskTable().getTaskBaseById({}, proto::TaskId(1)));
  const auto per_query = (user.numSelects() - begin) / 10;
  REQUIRE(per_query >= 1);
  CHECK((user.numSelects() - begin) % 10 == 0);

  const auto polls = follower.poller.numPolls();
  const auto selects = user.numSelects();
  const auto updates = user.numUpdates();
  follower.pass(40);
  const auto polled = static_cast<std::int64_t>(follower.poller.numPolls() - polls);
  CHECK(polled == 20);
  // The server counts a statement after it has answered.
  CHECK(eventually([&] { return user.numSelects() - selects >= polled * per_query; }));
  CHECK(user.numSelects() - selects == polled * per_query);
  CHECK(user.numUpdates() == updates);

  follower.scheduler.start();
  follower.pass(4);
  const auto rounds = follower.scheduler.numRounds();
  const auto before = user.numSelects();
  const auto polls_before = follower.poller.numPolls();
  for (int i = 0; i < 12; ++i) {
    renew();
    follower.pass(5);
  }
  CHECK(follower.scheduler.numRounds() - rounds >= 19);
  const auto others =
      (user.numSelects() - before) / per_query - static_cast<std::int64_t>(follower.poller.numPolls() - polls_before);
  CHECK(others <= 5);  // looks at all nodes, twice in a lease
  CHECK(user.numUpdates() == updates);
  follower.poller.stop();
  follower.scheduler.stop();
  follower.planner.stop();
  follower.manager.stop();
}
