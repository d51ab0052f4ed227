// The hooks of a task type: what runs them, when, and what their failure means.
#include "disttask/base/error.hpp"
#include "disttask/observability/log_capture.hpp"
#include "flow_cluster.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using proto::TaskState;
using storage::PlanWrite;

namespace {

/// A cluster whose type `demo` has a clean-up hook.
class CleanCluster : public Cluster {
 public:
  explicit CleanCluster(std::vector<std::string> names) : Cluster(std::move(names)) {}

  /// Runs a task to its end, but for its clean-up.
  proto::TaskId runToEnd(const char* rows_end, TaskState end) {
    const auto id = addTask("t").id;
    REQUIRE(turnUntil([&] { return rows(id).size() == 8; }));
    store().execute("update disttask_plan set cleans_up=1");  // as their planner says of the type
    clean_ups_go_on = false;
    REQUIRE(turnUntil([&] {
      for (const auto& name : alive) run(name, rows_end);
      return task(id).state == end;
    }));
    return id;
  }
  std::string cleanUp(const std::string& what) {
    return text("select " + what + " from disttask_plan where kind='cleanup'");
  }
  storage::Plan openCleanUp() { return scheduler().findOpenCleanUps(call(), {}, 10).at(0).plan; }
};

}  // namespace

TEST_CASE(
    "An ended task whose type cleans up is cleaned up once on a node, and goes to history then",
    "[db][scheduler][hooks]"
) {
  CleanCluster cluster({"a"});
  const bool succeeds = GENERATE(true, false);
  const auto id =
      succeeds ? cluster.runToEnd("succeed", TaskState::kSucceed) : cluster.runToEnd("failed", TaskState::kReverted);
  auto& history = cluster.store()->historyTable();
  const auto life = cluster.owner.service().ownerLife().value();
  REQUIRE(cluster.cleanUp("concat(planner, complete, failed)") == "a00");
  CHECK(cluster.owner.nudges.back() == std::vector<std::string>{"a"});
  while (history.moveSubtasks(CleanCluster::call(), life, id, 100) > 0) {
  }
  CHECK_FALSE(history.isAtRest(CleanCluster::call(), id));
  CHECK_FALSE(history.moveTask(CleanCluster::call(), life, id));

  const auto plans = cluster.plans().getPlansOf(CleanCluster::call(), "a");
  REQUIRE(plans.size() == 1);
  CHECK(plans[0].kind == PlanKind::kCleanUp);
  REQUIRE(cluster.plans().complete(CleanCluster::call(), plans[0]) == PlanWrite::kApplied);
  CHECK(cluster.plans().getPlansOf(CleanCluster::call(), "a").empty());
  CHECK(history.isAtRest(CleanCluster::call(), id));
  CHECK(history.moveTask(CleanCluster::call(), life, id));
  CHECK(cluster.text("select count(*) from disttask_plan") == "0");
}

TEST_CASE("A clean-up whose node dies, or that found none, goes to another one", "[db][scheduler][hooks]") {
  CleanCluster cluster({"a", "b"});
  cluster.runToEnd("succeed", TaskState::kSucceed);
  const auto first = cluster.openCleanUp();
  SECTION("it dies") {
    std::erase(cluster.alive, first.planner);
  }
  SECTION("there was none") {
    std::erase(cluster.alive, first.planner);
    cluster.store().execute("update disttask_plan set planner='' where kind='cleanup'");
  }
  REQUIRE(cluster.turnUntil([&] { return cluster.openCleanUp().planner == cluster.alive.at(0); }, 200));
  // Who had it before changes nothing any more.
  CHECK(cluster.plans().complete(CleanCluster::call(), first) == PlanWrite::kFenced);
  CHECK(cluster.cleanUp("complete") == "0");
}

TEST_CASE(
    "A clean-up that failed for good lets the task go to history, and an event keeps why", "[db][scheduler][hooks]"
) {
  CleanCluster cluster({"a"});
  const auto id = cluster.runToEnd("succeed", TaskState::kSucceed);
  const auto plan = cluster.openCleanUp();
  REQUIRE(cluster.plans().setError(CleanCluster::call(), plan, "disk full", true, {}) == PlanWrite::kApplied);
  CHECK(cluster.scheduler().findOpenCleanUps(CleanCluster::call(), {}, 10).empty());
  CHECK(cluster.store()->historyTable().isAtRest(CleanCluster::call(), id));
  const auto last = cluster.store()->clientTable().listEvents(CleanCluster::call(), id, 1).at(0);
  CHECK(last.event == "hook-failed");
  CHECK(last.actor_kind + " " + last.actor == "planner a");
  CHECK(last.reason == "cleanup: disk full");
}

TEST_CASE(
    "A revert hook that failed for good leaves the task reverted, and events keep why", "[db][scheduler][hooks]"
) {
  CleanCluster cluster({"a"});
  const auto id = cluster.addTask("t").id;
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 8; }));
  cluster.plans_go_on = false;
  cluster.run("a", "failed");
  REQUIRE(cluster.turnUntil([&] { return !cluster.plans().getPlansOf(Cluster::call(), "a").empty(); }));
  const auto plan = cluster.plans().getPlansOf(Cluster::call(), "a")[0];
  REQUIRE(plan.kind == PlanKind::kRevert);
  REQUIRE(cluster.plans().setError(Cluster::call(), plan, "disk full", true, {}) == PlanWrite::kApplied);
  REQUIRE(cluster.turnUntil(id, TaskState::kReverted));
  CHECK(cluster.task(id).error == "line 7");
  const auto events = cluster.store()->clientTable().listEvents(Cluster::call(), id, 2);
  CHECK(events[0].event + ": " + events[0].reason == "hook-failed: revert: disk full");
  CHECK(events[1].event + ": " + events[1].reason == "reverted: the revert hook failed: disk full");
}

TEST_CASE("A task whose type has no clean-up hook ends without one", "[db][scheduler][hooks]") {
  Cluster cluster({"a"});
  const auto id = cluster.addTask("t").id;
  REQUIRE(cluster.turnUntil([&] {
    cluster.run("a");
    return cluster.task(id).state == TaskState::kSucceed;
  }));
  CHECK(cluster.text("select count(*) from disttask_plan where kind='cleanup'") == "0");
}

TEST_CASE("Clean-ups that wait, however many, do not hide those behind them", "[db][scheduler][hooks]") {
  Cluster cluster({"a"});
  const auto addOpen = [&](const std::string& key) {
    const auto id = std::to_string(cluster.addTask(key, "succeed", -2).id.value());
    cluster.store().execute(
        "insert into disttask_plan (task_id, kind, after_step, planner, token, `cursor`, next_ordinal, complete, "
        "failed, retries) values (" +
        id + ", 'cleanup', -2, '', 1, '', 1, 0, 0, 0)"
    );
    return id;
  };
  for (int i = 0; i < 210; ++i) addOpen("stuck-" + std::to_string(i));
  cluster.store().execute("update tidb_global_task set type='elsewhere'");
  const auto id = addOpen("last");
  cluster.clean_ups_go_on = false;
  cluster.turn();
  CHECK(cluster.text("select planner from disttask_plan where task_id=" + id) == "a");
  CHECK(cluster.text("select count(*) from disttask_plan where planner='' and kind='cleanup'") == "210");
}

TEST_CASE("A clean-up leaves a draining node, and stays where no other node fits", "[db][scheduler][hooks]") {
  CleanCluster cluster({"a", "b"});
  cluster.runToEnd("succeed", TaskState::kSucceed);
  const auto first = cluster.openCleanUp();
  const std::string other = first.planner == "a" ? "b" : "a";
  const auto drain = [&](const std::string& node) {
    REQUIRE(cluster.nodes().setWish(Cluster::call(), node, {proto::WantedState::kDraining, std::nullopt, ""}));
  };
  const bool has_other = GENERATE(true, false);
  if (!has_other) drain(other);
  drain(first.planner);
  for (int i = 0; i < 5; ++i) cluster.turn();
  CHECK(cluster.openCleanUp().planner == (has_other ? other : first.planner));
  CHECK((cluster.openCleanUp().token == first.token) == !has_other);
}

TEST_CASE("A hook that runs where the task may not is told in the log", "[db][scheduler][hooks]") {
  const observability::LogCapture log;
  CleanCluster cluster({"a"});
  const auto id = cluster.addTask("t").id;
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 8; }));
  cluster.store().execute("update disttask_plan set cleans_up=1");
  cluster.clean_ups_go_on = false;
  cluster.run("a", "failed");
  const auto lines = [&] {
    return log.records("hook goes to a node that may not run the task's subtasks: none that may is there");
  };
  SECTION("none is in its scope any more") {
    cluster.store().execute("update tidb_global_task set target_scope='elsewhere'");
    REQUIRE(cluster.turnUntil(id, TaskState::kReverted));
    REQUIRE(lines().size() == 2);
    CHECK(lines()[0].value("hook") + " " + lines()[0].value("to") == "revert a");
    CHECK(lines()[1].value("hook") + " " + lines()[1].value("to") == "cleanup a");
    CHECK_THAT(lines()[0].value("reason"), Catch::Contains("elsewhere"));
  }
  SECTION("one is") {
    REQUIRE(cluster.turnUntil(id, TaskState::kReverted));
    CHECK(lines().empty());
  }
}
