// Two nodes that both take themselves for the owner.
#include "disttask/base/failpoint.hpp"
#include "flow_cluster.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;
using proto::TaskState;

namespace {

/// Everything that an owner may change.
std::string snapshot(SchedulerFixture& fixture) {
  return fixture.text(
             "select group_concat(concat_ws(':', id, state, step, concurrency, start_time, end_time, error) order by "
             "id) from tidb_global_task"
         ) +
         "|" +
         fixture.text(
             "select group_concat(concat_ws(':', id, exec_id, state, concurrency, ddl_physical_tid, error) order by "
             "id) from tidb_background_subtask"
         ) +
         "|" +
         fixture.text(
             "select group_concat(concat_ws(':', task_id, kind, after_step, planner, token, complete, failed) order by "
             "task_id, kind, after_step) from disttask_plan"
         ) +
         "|" + fixture.text("select concat(life, ':', seq) from disttask_owner");
}

}  // namespace

TEST_CASE(
    "Of two owners at once, one stopped at each of its writes and continued, nothing is changed twice",
    "[db][scheduler][owners]"
) {
  // At each of these the first owner is about to begin a transaction whose reason it has read before it stopped.
  const auto stopped_before = GENERATE(0, 1, 2, 3, 4);
  Cluster cluster({"a", "b"});
  LedScheduler next(cluster, "next");
  const auto id = cluster.addTask("t").id;
  cluster.addTask("second");
  const auto leadNext = [&] {
    for (const auto& name : cluster.alive) cluster.renew(name);
    next.round();
  };
  // The first owner leads so many rounds alone, with everybody else at work.
  for (int i = 0; i < stopped_before; ++i) {
    cluster.turn();
    cluster.run("a");
  }
  cluster.store().execute("update tidb_background_subtask set exec_id='gone' where state='pending' limit 2");
  bool was_stopped = false;
  std::string after;
  Failpoints::arm("scheduler.task", [&] {
    if (was_stopped) return;
    was_stopped = true;
    // Here the first one stands still, with all it has read; its lease ends, another takes the role and goes on.
    for (int i = 0; i < 200 && !next.service().isOwner(); ++i) leadNext();
    REQUIRE(next.service().isOwner());
    for (int i = 0; i < 3; ++i) {
      leadNext();
      for (const auto& name : cluster.alive) cluster.planOn(name);
    }
    cluster.run("a");
    cluster.run("b");
    leadNext();
    after = snapshot(cluster);
  });
  cluster.owner.round();
  Failpoints::disarm("scheduler.task");
  REQUIRE(was_stopped);
  CHECK(snapshot(cluster) == after);
  CHECK(next.service().isOwner());
  // The former one follows now; the next one leads both tasks to their ends.
  for (int i = 0; i < 60 && cluster.task(id).state != TaskState::kSucceed; ++i) {
    cluster.owner.round();
    leadNext();
    for (const auto& name : cluster.alive) {
      cluster.planOn(name);
      cluster.run(name);
    }
  }
  CHECK(cluster.task(id).state == TaskState::kSucceed);
  CHECK(cluster.rows(id).size() == 16);
  CHECK_FALSE(cluster.owner.service().isOwner());
  CHECK(next.service().isOwner());
}
