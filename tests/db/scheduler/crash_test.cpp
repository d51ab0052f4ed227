// The process that holds the scheduler role and plans is killed at each of its transactions, just before and just after
// the commit: the next life of the node leads the task to the same end.
#include "disttask/base/failpoint.hpp"
#include "live_roles.hpp"

#include "support/child_process.hpp"
#include <catch2/catch.hpp>

#include <cstdlib>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;
using proto::TaskState;

namespace {

scheduler::SchedulerSettings quick() {
  scheduler::SchedulerSettings settings;
  settings.busy_interval = 20ms;
  settings.idle_interval = 50ms;
  return settings;
}

/// A process with the role and both planners; `failpoints` says where it is killed.
ChildProcess startProcess(SchedulerFixture& fixture, const std::string& failpoints) {
  return ChildProcess(
      {std::filesystem::read_symlink("/proc/self/exe").string(), "[.owner-process]"},
      {{"DISTTASK_FAILPOINTS", failpoints}, {"DISTTASK_TEST_SCHEMA", fixture.store().schema()}}
  );
}

/// What a task must come to, whoever dies on the way, and what happens to it meanwhile.
struct Story {
  TaskState end;
  std::function<void(SchedulerFixture&, proto::TaskId)> meanwhile;  ///< again and again
};

const Story kSucceeds{TaskState::kSucceed, finishPending};
/// Cancelled as soon as there are rows.
const Story kIsCancelled{TaskState::kReverted, [](SchedulerFixture& fixture, proto::TaskId task) {
                           if (fixture.task(task).state == TaskState::kRunning)
                             fixture.store()->clientTable().cancelTask(SchedulerFixture::call(), task);
                         }};

/// Kills at the first, second … pass of the failpoint, until a process gets to the end of the task without it. Returns
/// how many were killed.
int killAtEachPass(const std::string& failpoint, const Story& story) {
  SchedulerFixture fixture;
  for (const auto* node : {"a", "b"}) fixture.addNode(node);
  for (int pass = 1; pass < 60; ++pass) {
    INFO(failpoint << ", pass " << pass);
    const auto task = fixture.addTask("t" + std::to_string(pass)).id;
    const auto hasEnded = [&] {
      story.meanwhile(fixture, task);
      return fixture.task(task).state == story.end;
    };
    bool was_killed = false;
    {
      auto process = startProcess(fixture, failpoint + "=" + std::to_string(pass) + "*exit");
      const bool over = eventually([&] { return hasEnded() || !process.isRunning(); });
      REQUIRE(over);
      // The end of the task is the last thing to be committed: a process that is killed by it may be gone a bit later.
      was_killed = process.wait(50ms).has_value();
    }
    {
      auto next = startProcess(fixture, "");
      const bool ended = eventually(hasEnded);
      INFO(
          fixture.text("select concat(state, ' ', step) from tidb_global_task where id=" + std::to_string(task.value()))
      );
      REQUIRE(ended);
    }
    REQUIRE(findHoles(fixture, task).empty());
    const auto open = fixture.text(
        "select count(*) from tidb_background_subtask where state in ('pending','running','paused') and task_key='" +
        std::to_string(task.value()) + "'"
    );
    REQUIRE(open == "0");
    if (story.end == TaskState::kSucceed) REQUIRE(fixture.rows(task).size() == 40);
    if (!was_killed) return pass - 1;
  }
  return 60;
}

}  // namespace

TEST_CASE("the process that is killed", "[.owner-process]") {
  storage::mysql::StoreSettings settings;
  settings.connect = testConnectSettings();
  settings.schema = std::getenv("DISTTASK_TEST_SCHEMA");
  storage::mysql::Store store(settings, runtime::systemClock());
  LiveOwner owner(store, "a", quick());
  const auto type = std::make_shared<SteppedType>();
  const auto wake = [&] { owner.service().nudge(); };
  LivePlanner first(store, "a", type, wake);
  LivePlanner second(store, "b", type, wake);
  static_cast<void>(eventually(60s, [] { return false; }));  // it is killed by a failpoint or by the test
}

TEST_CASE(
    "A task that succeeds loses and doubles nothing wherever its owner and planner die before a commit",
    "[db][scheduler][crash]"
) {
  CHECK(killAtEachPass("store.before_commit", kSucceeds) >= 12);
}

TEST_CASE(
    "A task that succeeds loses and doubles nothing wherever its owner and planner die after a commit",
    "[db][scheduler][crash]"
) {
  CHECK(killAtEachPass("store.committed", kSucceeds) >= 12);
}

TEST_CASE("A cancelled task is reverted wherever its owner and planner die before a commit", "[db][scheduler][crash]") {
  CHECK(killAtEachPass("store.before_commit", kIsCancelled) >= 6);
}

TEST_CASE("A cancelled task is reverted wherever its owner and planner die after a commit", "[db][scheduler][crash]") {
  CHECK(killAtEachPass("store.committed", kIsCancelled) >= 6);
}

TEST_CASE("A planner that dies between two batches leaves them to the next", "[db][scheduler][crash]") {
  CHECK(killAtEachPass("planning.before_batch", kSucceeds) >= 4);  // more where a conflict makes a batch come again
}
