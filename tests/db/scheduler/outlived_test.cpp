// Lives and roles that are over, stores that took no writes for a while: nobody loses anything to them.
#include "disttask/observability/log_capture.hpp"
#include "disttask/runtime/thread_group.hpp"
#include "scheduler_fixture.hpp"

#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <functional>
#include <string>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;
using proto::Life;

namespace {

ErrorCode codeOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Exception& e) {
    return e.error().code();
  }
  return ErrorCode::kInternal;
}

/// While it lives, every change of a row is refused with the error of a read-only server.
class ReadOnly {
 public:
  explicit ReadOnly(TestStore& store) : store_(store) {
    for (const auto* table : kTables) {
      store_.execute(
          std::string("create trigger read_only_") + table + " before update on " + table +
          " for each row signal sqlstate 'HY000' set mysql_errno = 1290, message_text = 'running with --read-only'"
      );
    }
  }
  ReadOnly(const ReadOnly&) = delete;
  ReadOnly& operator=(const ReadOnly&) = delete;
  ~ReadOnly() {
    for (const auto* table : kTables) store_.execute(std::string("drop trigger read_only_") + table);
  }

 private:
  static constexpr const char* kTables[] = {
      "disttask_node", "disttask_owner", "disttask_owner_lease", "tidb_global_task", "tidb_background_subtask"};
  TestStore& store_;
};

}  // namespace

TEST_CASE(
    "A node that was forgotten and registers anew repeats its epoch, and its former life can still change nothing",
    "[db][scheduler][outlived]"
) {
  SchedulerFixture fixture;
  auto& nodes = fixture.nodes();
  const auto call = SchedulerFixture::call();
  const auto former = fixture.addNode("a");
  const auto epoch = nodes.getNode(call, "a")->epoch;
  REQUIRE(nodes.evict(call, "a", former.life, 0));
  REQUIRE(nodes.forget(call, "a", Life()));
  const auto now = fixture.addNode("a");
  REQUIRE(nodes.getNode(call, "a")->epoch == epoch);
  REQUIRE(nodes.getNode(call, "a")->renewals == 0);
  REQUIRE(now.life != former.life);

  CHECK_FALSE(nodes.renew(call, former));
  CHECK_FALSE(nodes.evict(call, "a", former.life, 0));
  CHECK_FALSE(nodes.release(call, "a", former.life));
  CHECK_FALSE(nodes.forget(call, "a", former.life));
  auto again = former;
  again.life = Life(77);
  CHECK_FALSE(nodes.registerNode(call, again, former.life));
  CHECK(nodes.getNode(call, "a")->life == now.life);
  CHECK(nodes.getNode(call, "a")->renewals == 0);
}

TEST_CASE(
    "A role whose term repeats after a failover of the store belongs to one life only", "[db][scheduler][outlived]"
) {
  SchedulerFixture fixture;
  auto& table = fixture.scheduler();
  const auto call = SchedulerFixture::call();
  const auto task = fixture.addTask("t", "running", 1);
  const auto free = table.getOwner(call);
  const auto former = fixture.takeRole("a");
  const auto term = table.getOwner(call).term;
  // The failover lost the take-over: the rows are as before, and the next one takes the same term.
  fixture.store().execute(
      "update disttask_owner set life = 0, exec_id = '', term = " + std::to_string(free.term) + " where id = 1"
  );
  fixture.store().execute("update disttask_owner_lease set life = 0, renewals = 0 where id = 1");
  const auto now = fixture.takeRole("b");
  REQUIRE(table.getOwner(call).term == term);

  CHECK_FALSE(table.renewOwnership(call, former));
  CHECK_FALSE(table.releaseOwnership(call, former));
  CHECK(codeOf([&] {
          table.changeTask(call, former, task.id, {proto::TaskState::kRunning, proto::TaskEvent::kRevert});
        }) == ErrorCode::kLost);
  CHECK(fixture.task(task.id).state == proto::TaskState::kRunning);
  CHECK(table.getOwner(call).life == now);
}

TEST_CASE(
    "A store that took no writes for longer than the lease evicts nobody when it takes them again",
    "[db][scheduler][outlived]"
) {
  SchedulerFixture fixture;
  if (fixture.store().isTiDb()) {
    WARN("not run: the server has no triggers to refuse writes with");
    return;
  }
  for (const auto* name : {"a", "b"}) fixture.addNode(name);
  LedScheduler owner(fixture, "a");
  LedScheduler follower(fixture, "b");
  const auto run = [&](runtime::Duration time, const std::function<void()>& each) {
    const auto end = owner.clock.now() + time;
    while (owner.clock.now() < end) {
      each();
      owner.round();
      while (follower.clock.now() < owner.clock.now()) follower.round();
    }
  };
  const auto renewBoth = [&] {
    for (const auto* name : {"a", "b"}) fixture.renew(name);
  };
  const auto lifeOf = [&](const char* name) { return fixture.nodes().getNode(SchedulerFixture::call(), name)->life; };
  run(20s, renewBoth);
  REQUIRE(owner.service().isOwner());
  const auto a = lifeOf("a");
  const auto b = lifeOf("b");
  const auto role = fixture.scheduler().getOwner(SchedulerFixture::call()).life;

  {
    const ReadOnly read_only(fixture.store());
    CHECK(codeOf([&] { fixture.renew("b"); }) == ErrorCode::kStoreReadOnly);
    owner.renews = follower.renews = false;  // nobody's lease can be renewed
    run(120s, [] {});
  }
  // Writes work again, but the others come to renew only later: each may be up to a renewal's interval late.
  owner.renews = follower.renews = true;
  run(25s, [] {});
  CHECK(lifeOf("a") == a);
  CHECK(lifeOf("b") == b);
  CHECK(fixture.scheduler().getOwner(SchedulerFixture::call()).life == role);
  run(60s, renewBoth);
  CHECK(lifeOf("b") == b);
  // The watch still works: a node that does not renew for its lease and a second is evicted.
  run(60s, [&] { fixture.renew("a"); });
  CHECK(lifeOf("a") == a);
  CHECK(lifeOf("b") == Life());
}

TEST_CASE(
    "A store that refuses to renew the role is asked once a round at most, however many tasks there are",
    "[db][scheduler][outlived]"
) {
  SchedulerFixture fixture;
  if (fixture.store().isTiDb()) {
    WARN("not run: the server has no triggers to refuse writes with");
    return;
  }
  for (int i = 0; i < 10; ++i) fixture.addTask("t" + std::to_string(i), "pending", -1);  // nobody can run them
  LedScheduler owner(fixture, "a");
  owner.round();
  REQUIRE(owner.service().isOwner());
  const ReadOnly read_only(fixture.store());
  const observability::LogCapture log;
  std::size_t num_rounds = 0;
  for (const auto end = owner.clock.now() + 15s; owner.clock.now() < end; ++num_rounds) owner.round();
  const auto refused = log.count("scheduler role could not be renewed");
  CHECK(refused > 0);
  CHECK(refused <= num_rounds);
}

TEST_CASE("A node begins no new life while the return of its rows is on the way", "[db][scheduler][outlived]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto role = fixture.takeRole();
  const auto dead = fixture.addNode("dead");
  const auto task = fixture.addTask("t", "running", 1);
  const auto id = fixture.addSubtask(task.id, 1, 1, "dead", "running", 1001);
  REQUIRE(fixture.nodes().evict(call, "dead", dead.life, 0));

  const auto holder = fixture.store().connect();
  holder->begin();
  holder->execute("update tidb_background_subtask set namespace='held' where id=" + std::to_string(id));
  // Statements that stand in the server: each of them waits for a lock here.
  const auto numWaiting = [&] {
    return std::stoi(
        fixture.text("select count(*) from information_schema.processlist where db=database() and "
                     "id<>connection_id() and command in ('Query','Execute')")
    );
  };
  test::TestSignal<std::int64_t> released;
  test::TestSignal<bool> registered;
  auto next = dead;
  next.life = Life(4711);
  runtime::ThreadGroup threads;
  threads.spawn("owner", [&] {
    try {
      released.send(fixture.scheduler().releaseRowsOfDeadNode(SchedulerFixture::call(), role, "dead", 3, 100));
    } catch (const std::exception&) {
      released.send(-1);
    }
  });
  REQUIRE(eventually([&] { return numWaiting() == 1; }));  // it has seen that the node is evicted
  threads.spawn("node", [&] {
    try {
      registered.send(fixture.nodes().registerNode(SchedulerFixture::call(), next, Life()));
    } catch (const std::exception&) {
      registered.send(false);
    }
  });
  CHECK(eventually([&] { return numWaiting() == 2; }));
  CHECK_FALSE(registered.wait(200ms));
  CHECK(fixture.nodes().getNode(call, "dead")->life == Life());
  holder->rollback();
  CHECK(released.wait() == 1);
  CHECK(registered.wait() == true);
  threads.join();
  CHECK(fixture.row(id).state == "pending");
  CHECK(fixture.nodes().getNode(call, "dead")->life == Life(4711));
}
