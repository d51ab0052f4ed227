// What an idle node costs the server: counted there, by the statistics of a user of its own.
#include "disttask/executor/manager.hpp"
#include "disttask/executor/node_poller.hpp"
#include "disttask/planning/planning_service.hpp"
#include "disttask/scheduler/scheduler_service.hpp"

#include "../mysql_schema/dxf_tables.hpp"
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
  /// `store`: what its store uses; the user gets all rights in its schemas.
  explicit CountedUser(storage::mysql::StoreSettings store)
      : settings_(std::move(store)),
        connection_(sqlclient::Connection::open(settings_.connect)),
        name_("u_" + settings_.schema) {
    before_ = scalar("select @@global.userstat");
    connection_->execute("set global userstat = 1");
    connection_->execute("create user '" + name_ + "'@'%'");
    for (const auto& schema : {settings_.schema, settings_.side_schema}) {
      if (!schema.empty()) connection_->execute("grant all on `" + schema + "`.* to '" + name_ + "'@'%'");
    }
  }
  ~CountedUser() {
    connection_->execute("drop user '" + name_ + "'@'%'");
    connection_->execute("set global userstat = " + before_);
  }
  CountedUser(const CountedUser&) = delete;
  CountedUser& operator=(const CountedUser&) = delete;

  [[nodiscard]] std::int64_t numSelects() const { return count("select_commands"); }
  [[nodiscard]] std::int64_t numUpdates() const { return count("update_commands"); }
  [[nodiscard]] storage::mysql::StoreSettings settings() const {
    auto settings = settings_;
    settings.connect.user = name_;
    settings.connect.password = nullptr;
    return settings;
  }

 private:
  /// The server counts a statement after it has answered, and before its session sleeps again.
  [[nodiscard]] std::int64_t count(const std::string& column) const {
    const auto at_work =
        "select count(*) from information_schema.processlist where command <> 'Sleep' and user = '" + name_ + "'";
    REQUIRE(eventually([&] { return scalar(at_work) == "0"; }));
    const auto text =
        scalar("select " + column + " from information_schema.user_statistics where user = '" + name_ + "'");
    return text.empty() ? 0 : std::stoll(text);
  }
  [[nodiscard]] std::string scalar(const std::string& sql) const {
    auto rows = connection_->queryDynamic("scalar", sql, {});
    return rows.next() ? rows.getString(1) : "";
  }
  const storage::mysql::StoreSettings settings_;
  const std::unique_ptr<sqlclient::Connection> connection_;
  const std::string name_;
  std::string before_;
};

/// Some servers count an executed prepared statement twice: returns what one query of ours counts here.
std::int64_t countOfOneQuery(const CountedUser& user, storage::mysql::Store& counted) {
  const auto ask = [&] { static_cast<void>(counted.taskTable().getTaskBaseById({}, proto::TaskId(1))); };
  ask();  // what comes with the first one is over
  const auto begin = user.numSelects();
  for (int i = 0; i < 10; ++i) ask();
  const auto counted_ten = user.numSelects() - begin;
  CHECK(counted_ten % 10 == 0);
  REQUIRE(counted_ten >= 10);
  return counted_ten / 10;
}

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
  CountedUser user(store.settings());
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

  const auto per_query = countOfOneQuery(user, counted);
  const auto polls = follower.poller.numPolls();
  const auto selects = user.numSelects();
  const auto updates = user.numUpdates();
  follower.pass(40);
  const auto polled = static_cast<std::int64_t>(follower.poller.numPolls() - polls);
  CHECK(polled == 20);
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

TEST_CASE("Beside a live TiDB a poll without active tasks is one statement", "[db][poll]") {
  const test::DxfTables tables(test::DxfVersion::k85);
  if (sqlclient::Connection::open(tables.settings().connect)->flavour() != sqlclient::Flavour::kMariaDb) {
    WARN("this server does not count statements by user");
    return;
  }
  const auto installed = tables.makeStore();
  static_cast<void>(installed->schema().install({}));
  const CountedUser user(tables.settings());
  storage::mysql::Store counted(user.settings(), runtime::systemClock());
  const auto addTask = [&](int id, const std::string& state) {
    const auto number = std::to_string(id);
    tables.execute(
        "insert into tidb_global_task (id, task_key, type, state, step, concurrency, meta) values (" + number +
        ", 'key-" + number + "', 'Example', '" + state + "', 1, 1, '{}')"
    );
  };
  // What is paused, or over and still to be moved to the history, is not looked into.
  addTask(1, "paused");
  addTask(2, "succeed");
  const auto per_query = countOfOneQuery(user, counted);
  const auto queriesOf = [&](int polls, bool work) {
    const auto before = user.numSelects();
    for (int i = 0; i < polls; ++i) CHECK(counted.pollTable().poll({}, "a:1").has_subtasks == work);
    // The server counts a statement after it has answered.
    CHECK(eventually([&] { return user.numSelects() - before >= polls * per_query; }));
    return (user.numSelects() - before) / per_query;
  };
  CHECK(queriesOf(20, false) == 20);
  // With one: which they are, and its rows here.
  addTask(3, "running");
  CHECK(queriesOf(20, false) == 60);
  tables.execute(
      "insert into tidb_background_subtask (step, task_key, type, exec_id, state, checkpoint, concurrency, ordinal)"
      " values (1, '3', 1, 'a:1', 'pending', '{}', 1, 1)"
  );
  CHECK(queriesOf(20, true) == 60);
}
