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
  // The first owner stands still with its mind made up, at the first, second … of its transactions.
  const int stopped_at = GENERATE(range(1, 5));
  // Meanwhile the next one leads the task on, or it is cancelled, reverted and gone.
  const bool is_gone = GENERATE(false, true);
  Cluster cluster({"a", "b"});
  LedScheduler next(cluster, "next");
  const auto id = cluster.addTask("t").id;
  const auto leadNext = [&] {
    for (const auto& name : cluster.alive) cluster.renew(name);
    next.round();
    for (const auto& name : cluster.alive) {
      cluster.planOn(name);
      if (!is_gone) cluster.run(name);
    }
  };
  int passes = 0;
  std::string before;
  std::string after;
  Failpoints::arm("owner.before_fence", [&] {
    if (++passes != stopped_at) return;
    before = snapshot(cluster);
    for (int i = 0; i < 200 && !next.service().isOwner(); ++i) leadNext();
    if (is_gone) {
      static_cast<void>(cluster.store()->clientTable().cancelTask(SchedulerFixture::call(), id));
      for (int i = 0; i < 60 && cluster.task(id).state != TaskState::kReverted; ++i) leadNext();
      for (const auto* table : {"disttask_plan", "tidb_background_subtask", "tidb_global_task"})
        cluster.store().execute("delete from " + std::string(table));
    } else {
      for (int i = 0; i < 3; ++i) leadNext();
    }
    after = snapshot(cluster);
  });
  for (int i = 0; i < 40 && passes < stopped_at; ++i) {
    cluster.turn();
    for (const auto& name : cluster.alive) cluster.run(name);
  }
  Failpoints::disarm("owner.before_fence");
  REQUIRE(passes >= stopped_at);
  REQUIRE(before != after);
  CHECK(next.service().isOwner());
  CHECK_FALSE(cluster.owner.service().isOwner());
  if (is_gone) {
    CHECK(snapshot(cluster) == after);
    return;
  }
  for (int i = 0; i < 60 && cluster.task(id).state != TaskState::kSucceed; ++i) {
    cluster.owner.round();
    leadNext();
  }
  CHECK(cluster.task(id).state == TaskState::kSucceed);
  CHECK(cluster.rows(id).size() == 16);
  CHECK(next.service().isOwner());
}
