// Every state of a task × every event: what the table of transitions allows happens, once, and all else changes
// nothing.
#include "disttask/base/error.hpp"
#include "disttask/observability/log.hpp"
#include "disttask/proto/task_event.hpp"
#include "scheduler_fixture.hpp"

#include <catch2/catch.hpp>

#include <functional>

using namespace disttask;
using namespace disttask::test;
using proto::TaskActor;
using proto::TaskEvent;
using proto::TaskState;

namespace {

/// What a call said: it was done, it was not, or it threw this.
enum class Said { kDone, kNotDone, kInvalid, kPrecondition, kOther };

Said saidBy(const std::function<bool()>& call) {
  try {
    return call() ? Said::kDone : Said::kNotDone;
  } catch (const Exception& e) {
    if (e.error().code() == ErrorCode::kInvalidArgument) return Said::kInvalid;
    return e.error().code() == ErrorCode::kPrecondition ? Said::kPrecondition : Said::kOther;
  }
}

TaskState stateOf(int i) {
  return static_cast<TaskState>(i);
}

/// One task, put into any state by hand, and everybody who may change it.
class Model : public SchedulerFixture {
 public:
  Model() : owner(takeRole("owner")), id(addTask("t").id), plan(makePlan(*this, owner, task(id), proto::Step(1))) {}

  void put(TaskState state, TaskState before_modification) {
    const std::string params = R"({"prev_state":")" + std::string(toString(before_modification)) + R"("})";
    store().execute(
        "update tidb_global_task set state='" + std::string(toString(state)) +
        "', step=-1, error='{\"message\":\"old\"}', start_time=null, end_time=null,"
        " state_update_time='2001-01-01', modify_params=" +
        (state == TaskState::kModifying ? "'" + params + "'" : "null")
    );
    store().execute("update disttask_plan set `cursor`='', next_ordinal=1, complete=0");
    store().execute("delete from tidb_background_subtask");
    store().execute("delete from disttask_event");
  }
  /// All that an event could change.
  std::string everything() {
    return text(
               "select concat_ws('|', state, step, error, start_time, end_time, state_update_time, modify_params, "
               "meta, "
               "concurrency) from tidb_global_task"
           ) +
           text("select group_concat(concat_ws(',', `cursor`, next_ordinal, complete)) from disttask_plan") +
           text("select count(*) from tidb_background_subtask") + text("select count(*) from disttask_event");
  }
  std::string event() {
    return text("select concat_ws(' ', event, from_state, to_state, actor_kind, actor) from disttask_event");
  }

  Said ask(TaskEvent event) {
    auto& client = store()->clientTable();
    switch (event) {
      case TaskEvent::kCancel:
        return saidBy([&] { return client.cancelTask(call(), id); });
      case TaskEvent::kPause:
        return saidBy([&] { return client.pauseTask(call(), id); });
      case TaskEvent::kResume:
        return saidBy([&] { return client.resumeTask(call(), id); });
      case TaskEvent::kModify:
        return saidBy([&] {
          client.modifyTask(call(), id, {.slots = {}, .max_nodes = {}, .priority = 3, .meta = {}});
          return true;
        });
      case TaskEvent::kResolveRetry:
        return resolve(storage::Resolution::kRetry);
      case TaskEvent::kResolveSkip:
        return resolve(storage::Resolution::kSkip);
      default:
        return resolve(storage::Resolution::kFail);
    }
  }
  Said planBatch() {
    auto copy = plan;
    const auto batch = makeBatch(1, 1, "x", false);
    return saidBy([&] { return plans().writeBatch(call(), task(id), copy, batch) == storage::PlanWrite::kApplied; });
  }
  Said modified(TaskState before) {
    return saidBy([&] { return scheduler().finishModification(call(), owner, id, {before, {}}); });
  }
  Said change(TaskState from, TaskEvent event) {
    return saidBy([&] { return scheduler().changeTask(call(), owner, id, {from, event}); });
  }

  const proto::Life owner;
  const proto::TaskId id;
  const storage::Plan plan;

 private:
  Said resolve(storage::Resolution resolution) {
    return saidBy([&] {
      store()->clientTable().resolveTask(call(), id, resolution);
      return true;
    });
  }
};

/// Brings an event about in the way of whoever may; `before`: what a modification goes back to.
Said perform(Model& model, TaskState state, TaskEvent event, TaskState before) {
  switch (transitionOf(event).actor) {
    case TaskActor::kSubmitter:
      return model.ask(event);
    case TaskActor::kPlanner:
      return model.planBatch();
    default:
      return event == TaskEvent::kModified ? model.modified(before) : model.change(state, event);
  }
}

std::string actorOf(TaskEvent event, const std::string& user) {
  switch (transitionOf(event).actor) {
    case TaskActor::kSubmitter:
      return "submitter " + user;
    case TaskActor::kPlanner:
      return "planner a";
    default:
      return "owner owner";
  }
}

}  // namespace

TEST_CASE("Every event in every state does what the table of transitions says, or nothing", "[db][scheduler][model]") {
  observability::setLevel(observability::Level::kWarn);  // one line for each of some hundred changes otherwise
  Model model;
  const auto user = model.text("select user()");
  int allowed = 0;
  for (int s = 0; s < proto::kNumTaskStates; ++s) {
    for (int e = 0; e < proto::kNumTaskEvents; ++e) {
      const auto state = stateOf(s);
      const auto event = static_cast<TaskEvent>(e);
      for (const auto before : {TaskState::kPending, TaskState::kRunning, TaskState::kPaused}) {
        if (event != TaskEvent::kModified && before != TaskState::kRunning) continue;
        CAPTURE(toString(state), toString(event), toString(before));
        model.put(state, before);
        const auto old = model.everything();
        const auto said = perform(model, state, event, before);
        if (isAllowed(state, event) && transitionOf(event).actor != TaskActor::kDxf) {
          ++allowed;
          const auto to = event == TaskEvent::kModified ? before : targetOf(event);
          CHECK(said == Said::kDone);
          CHECK(model.task(model.id).state == to);
          CHECK(
              model.event() == std::string(toString(event)) + " " + std::string(toString(state)) + " " +
                                   std::string(toString(to)) + " " + actorOf(event, user)
          );
        } else {
          // A change that is there already is as good as done: its answer may have been lost.
          const bool is_there = event == TaskEvent::kModified && state == before;
          CHECK((said == Said::kDone) == is_there);
          CHECK(said != Said::kOther);
          CHECK(model.everything() == old);
        }
      }
    }
  }
  int expected = 2;  // a modification goes back to three states
  for (const auto& each : proto::kTaskTransitions) {
    for (int s = 0; s < proto::kNumTaskStates && each.actor != TaskActor::kDxf; ++s)
      expected += each.from.contains(stateOf(s)) ? 1 : 0;
  }
  CHECK(allowed == expected);
  observability::setLevel(observability::Level::kInfo);
}

TEST_CASE("An event of the owner finds a task that left the state, and changes nothing", "[db][scheduler][model]") {
  Model model;
  for (const auto& each : proto::kTaskTransitions) {
    if (each.actor != TaskActor::kOwner || each.event == TaskEvent::kModified) continue;
    for (int f = 0; f < proto::kNumTaskStates; ++f) {
      const auto from = stateOf(f);
      if (!each.from.contains(from)) continue;
      for (int s = 0; s < proto::kNumTaskStates; ++s) {
        if (stateOf(s) == from) continue;
        CAPTURE(toString(each.event), toString(from), toString(stateOf(s)));
        model.put(stateOf(s), TaskState::kRunning);
        const auto old = model.everything();
        CHECK((model.change(from, each.event) == Said::kDone) == (stateOf(s) == targetOf(each.event)));
        CHECK(model.everything() == old);
      }
    }
  }
}

TEST_CASE("A paused task can be cancelled, and once only", "[db][scheduler][model]") {
  Model model;
  auto& client = model.store()->clientTable();
  model.put(TaskState::kPaused, TaskState::kRunning);
  CHECK(client.cancelTask(Model::call(), model.id));
  CHECK(model.task(model.id).state == TaskState::kCancelling);
  CHECK_FALSE(client.cancelTask(Model::call(), model.id));
  CHECK(model.text("select count(*) from disttask_event") == "1");
}
