#include "disttask/scheduler/task_decision.hpp"

#include <catch2/catch.hpp>

#include <functional>

using namespace disttask;
using namespace disttask::scheduler;
using proto::kStepDone;
using proto::kStepInit;
using proto::Step;
using proto::TaskState;
using storage::Plan;
using storage::PlanKind;

namespace {

constexpr Step kOne{1};
constexpr Step kTwo{2};

Plan stepPlan(Step after, std::optional<Step> step, bool complete) {
  Plan plan;
  plan.after_step = after;
  plan.step = step;
  plan.complete = complete;
  plan.planner = "planner";
  return plan;
}

Plan revertPlan(bool complete) {
  auto plan = stepPlan(kOne, std::nullopt, complete);
  plan.kind = PlanKind::kRevert;
  return plan;
}

Plan failed(Plan plan, const char* error) {
  plan.failed = true;
  plan.error = error;
  return plan;
}

TaskView inState(TaskState state, Step step) {
  TaskView view;
  view.state = state;
  view.step = step;
  view.why_no_planner = "why not";
  return view;
}

/// A running task in step 1 whose plan is complete.
TaskView inStepOne() {
  auto view = inState(TaskState::kRunning, kOne);
  view.plans = {stepPlan(kStepInit, kOne, true)};
  return view;
}

TaskView reverting() {
  auto view = inState(TaskState::kReverting, kOne);
  view.plans = {stepPlan(kStepInit, kOne, true)};
  return view;
}

template <typename F>
TaskView with(TaskView view, F change) {
  change(view);
  return view;
}

struct Case {
  const char* name;
  TaskView view;
  TaskAction action;
  const char* error = "";
};

}  // namespace

TEST_CASE("A task's next action follows from its state, its plans and its rows", "[scheduler][decision]") {
  const std::vector<Case> cases{
      {"pending without a plan is planned", inState(TaskState::kPending, kStepInit), TaskAction::kCreatePlan},
      {"pending without a node that could plan waits",
       with(inState(TaskState::kPending, kStepInit), [](auto& v) { v.has_planner = false; }),
       TaskAction::kWait,
       "why not"},
      {"pending without a place waits",
       with(inState(TaskState::kPending, kStepInit), [](auto& v) { v.has_place = false; }),
       TaskAction::kWait,
       "the tasks at once are all of higher rank"},
      {"pending while its planner works is left alone",
       with(inState(TaskState::kPending, kStepInit), [](auto& v) { v.plans = {stepPlan(kStepInit, {}, false)}; }),
       TaskAction::kNone},
      {"pending with a dead planner gets another one",
       with(
           inState(TaskState::kPending, kStepInit),
           [](auto& v) {
             v.plans = {stepPlan(kStepInit, {}, false)};
             v.is_planner_alive = false;
           }
       ),
       TaskAction::kAssignPlan},
      {"pending with a dead planner and nobody else waits",
       with(
           inState(TaskState::kPending, kStepInit),
           [](auto& v) {
             v.plans = {stepPlan(kStepInit, {}, false)};
             v.is_planner_alive = v.has_planner = false;
           }
       ),
       TaskAction::kWait,
       "why not"},
      {"pending whose planning failed for good is reverted with that error",
       with(
           inState(TaskState::kPending, kStepInit),
           [](auto& v) { v.plans = {failed(stepPlan(kStepInit, {}, false), "no such file")}; }
       ),
       TaskAction::kRevert,
       "no such file"},
      {"pending without any step begins, to succeed then",
       with(inState(TaskState::kPending, kStepInit), [](auto& v) { v.plans = {stepPlan(kStepInit, kStepDone, true)}; }),
       TaskAction::kBegin},
      {"running without any step succeeds",
       with(inState(TaskState::kRunning, kStepInit), [](auto& v) { v.plans = {stepPlan(kStepInit, kStepDone, true)}; }),
       TaskAction::kSucceed},
      {"running with rows at work is left alone",
       with(inStepOne(), [](auto& v) { v.rows.running = true; }),
       TaskAction::kNone},
      {"a late pause in a running task is taken back",
       with(inStepOne(), [](auto& v) { v.rows.paused = true; }),
       TaskAction::kResumeSubtasks},
      {"rows that are all done do not end a step whose plan goes on",
       with(inStepOne(), [](auto& v) { v.plans = {stepPlan(kStepInit, kOne, false)}; }),
       TaskAction::kNone},
      {"a step whose planner died is given to another one while rows run",
       with(
           inStepOne(),
           [](auto& v) {
             v.plans = {stepPlan(kStepInit, kOne, false)};
             v.rows.running = true;
             v.is_planner_alive = false;
           }
       ),
       TaskAction::kAssignPlan},
      {"planning that fails in mid-step reverts",
       with(inStepOne(), [](auto& v) { v.plans = {failed(stepPlan(kStepInit, kOne, false), "bad line")}; }),
       TaskAction::kRevert,
       "bad line"},
      {"a step that has ended is followed by a plan", inStepOne(), TaskAction::kCreatePlan},
      {"a step without rows has ended too", inStepOne(), TaskAction::kCreatePlan},
      {"the next step is waited for while it is planned",
       with(inStepOne(), [](auto& v) { v.plans.push_back(stepPlan(kOne, {}, false)); }),
       TaskAction::kNone},
      {"a next step that was entered meanwhile is seen in the next round",
       with(inStepOne(), [](auto& v) { v.plans.push_back(stepPlan(kOne, kTwo, true)); }),
       TaskAction::kNone},
      {"no further step: the task succeeds",
       with(inStepOne(), [](auto& v) { v.plans.push_back(stepPlan(kOne, kStepDone, true)); }),
       TaskAction::kSucceed},
      {"a failed subtask reverts at once, also while others run",
       with(
           inStepOne(),
           [](auto& v) {
             v.rows.failed = v.rows.running = v.rows.pending = true;
             v.failed_subtask = "line 7";
           }
       ),
       TaskAction::kRevert,
       "line 7"},
      {"a failed subtask without a text has one all the same",
       with(inStepOne(), [](auto& v) { v.rows.failed = true; }),
       TaskAction::kRevert,
       "a subtask of step 1 ended without success"},
      {"with manual recovery a failed subtask waits for a person",
       with(
           inStepOne(),
           [](auto& v) {
             v.rows.failed = v.manual_recovery = true;
             v.failed_subtask = "line 7";
           }
       ),
       TaskAction::kAwaitResolution,
       "line 7"},
      {"cancelling goes on to reverting",
       inState(TaskState::kCancelling, kOne),
       TaskAction::kRevert,
       "cancelled by user"},
      {"cancelling before the first step too",
       inState(TaskState::kCancelling, kStepInit),
       TaskAction::kRevert,
       "cancelled by user"},
      {"reverting first cancels what is pending",
       with(reverting(), [](auto& v) { v.rows.pending = v.rows.running = true; }),
       TaskAction::kCancelSubtasks},
      {"reverting takes paused rows along",
       with(reverting(), [](auto& v) { v.rows.paused = true; }),
       TaskAction::kCancelSubtasks},
      {"reverting waits for what runs", with(reverting(), [](auto& v) { v.rows.running = true; }), TaskAction::kNone},
      {"reverting without active rows runs the hook", reverting(), TaskAction::kCreateRevertPlan},
      {"reverting without a node for the hook waits",
       with(reverting(), [](auto& v) { v.has_reverter = false; }),
       TaskAction::kWait,
       "why not"},
      {"the hook is waited for",
       with(reverting(), [](auto& v) { v.plans.push_back(revertPlan(false)); }),
       TaskAction::kNone},
      {"a hook whose node died goes to another",
       with(
           reverting(),
           [](auto& v) {
             v.plans.push_back(revertPlan(false));
             v.is_planner_alive = false;
           }
       ),
       TaskAction::kAssignPlan},
      {"the hook has run: reverted",
       with(reverting(), [](auto& v) { v.plans.push_back(revertPlan(true)); }),
       TaskAction::kReverted},
      {"a hook that failed for good ends the task all the same",
       with(reverting(), [](auto& v) { v.plans.push_back(failed(revertPlan(false), "disk full")); }),
       TaskAction::kReverted,
       "the revert hook failed: disk full"},
      {"a task that never entered a step needs no hook",
       with(
           inState(TaskState::kReverting, kStepInit),
           [](auto& v) {
             v.plans = {stepPlan(kStepInit, {}, false)};
             v.has_reverter = false;
           }
       ),
       TaskAction::kReverted},
  };
  for (const auto& one : cases) {
    DYNAMIC_SECTION(one.name) {
      const auto decision = decide(one.view);
      CHECK(toString(decision.action) == toString(one.action));
      CHECK(decision.error == one.error);
      if (decision.action == TaskAction::kAssignPlan) {
        REQUIRE(decision.plan);
        CHECK_FALSE(decision.plan->complete);
        CHECK(findOpenPlan(one.view)->after_step == decision.plan->after_step);
      }
    }
  }
}

TEST_CASE(
    "A pausing task pauses what has not begun, waits for what runs, and is paused then", "[scheduler][decision]"
) {
  auto view = inState(TaskState::kPausing, kOne);
  view.rows.pending = view.rows.running = true;
  CHECK(decide(view).action == TaskAction::kPauseSubtasks);
  view.rows.pending = false;
  CHECK(decide(view).action == TaskAction::kNone);
  view.rows.running = false;
  view.rows.paused = true;
  CHECK(decide(view).action == TaskAction::kPaused);
  CHECK(decide(inState(TaskState::kPausing, kStepInit)).action == TaskAction::kPaused);
}

TEST_CASE("A resuming task runs again when none of its rows is paused", "[scheduler][decision]") {
  auto view = inState(TaskState::kResuming, kOne);
  view.rows.paused = true;
  CHECK(decide(view).action == TaskAction::kResumeSubtasks);
  view.rows.paused = false;
  CHECK(decide(view).action == TaskAction::kResumed);
}

TEST_CASE("A task that was paused before its first step is planned when it runs again", "[scheduler][decision]") {
  CHECK(decide(inState(TaskState::kRunning, kStepInit)).action == TaskAction::kCreatePlan);
}

TEST_CASE("A modifying task is modified", "[scheduler][decision]") {
  CHECK(decide(inState(TaskState::kModifying, kOne)).action == TaskAction::kModify);
}

TEST_CASE("States that others lead, and ends, are left alone", "[scheduler][decision]") {
  const auto state = GENERATE(
      TaskState::kSucceed, TaskState::kFailed, TaskState::kReverted, TaskState::kAwaitingResolution, TaskState::kPaused
  );
  CHECK(decide(inState(state, kOne)).action == TaskAction::kNone);
}

TEST_CASE("Whatever the owner decides, the table of transitions allows it", "[scheduler][decision]") {
  // Every state with every combination of plans, rows and flags.
  const std::vector<std::vector<Plan>> plans{
      {},
      {stepPlan(kStepInit, kOne, true)},
      {stepPlan(kStepInit, kOne, false)},
      {stepPlan(kStepInit, kStepDone, true)},
      {failed(stepPlan(kStepInit, kOne, false), "x")},
      {stepPlan(kStepInit, kOne, true), stepPlan(kOne, kStepDone, true)},
      {stepPlan(kStepInit, kOne, true), revertPlan(true)},
      {stepPlan(kStepInit, kOne, true), failed(revertPlan(false), "x")}};
  int changes = 0;
  for (int s = 0; s < proto::kNumTaskStates; ++s) {
    for (const auto step : {kStepInit, kOne}) {
      for (const auto& some : plans) {
        for (unsigned flags = 0; flags < 256; ++flags) {
          auto view = inState(static_cast<TaskState>(s), step);
          view.plans = some;
          view.rows.pending = (flags & 1) != 0;
          view.rows.running = (flags & 2) != 0;
          view.rows.paused = (flags & 4) != 0;
          view.rows.failed = (flags & 8) != 0;
          view.manual_recovery = (flags & 16) != 0;
          view.has_planner = (flags & 32) != 0;
          view.has_reverter = (flags & 64) != 0;
          view.is_planner_alive = (flags & 128) != 0;
          const auto event = eventOf(decide(view).action);
          if (!event) continue;
          ++changes;
          if (isAllowed(view.state, *event) && transitionOf(*event).actor == proto::TaskActor::kOwner) continue;
          CAPTURE(toString(view.state), toString(*event), flags);
          FAIL("the owner decided for what the table does not allow");
        }
      }
    }
  }
  CHECK(changes > 1000);
}

TEST_CASE("The open plan of a running task is its step's before the one that follows", "[scheduler][decision]") {
  auto view = inStepOne();
  CHECK_FALSE(findOpenPlan(view));
  view.plans.push_back(stepPlan(kOne, {}, false));
  CHECK(findOpenPlan(view)->after_step == kOne);
  view.plans.front().complete = false;
  CHECK(findOpenPlan(view)->after_step == kStepInit);
}
