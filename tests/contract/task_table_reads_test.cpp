// What TaskTable reads: tasks, picks, registration.
#include "task_table_fixture.hpp"

#include <algorithm>

using namespace disttask;        // NOLINT: a test
using namespace disttask::test;  // NOLINT: a test

TEST_CASE("A look for pending rows skips what is up to an ordinal and leaves large metas out") {
  Rows rows;
  for (std::int32_t ordinal = 1; ordinal <= 5; ++ordinal) rows.add(ordinal);
  const auto running = rows.start(6);
  storage::PickLimits limits(2);
  limits.after_ordinal = 2;
  const auto look = [&](const storage::SubtaskStates& states) {
    return rows.table().getSubtasksByExecIdAndStepAndStates({}, kNode, rows.taskId(), kOne, states, limits);
  };
  auto found = look({SubtaskState::kPending});
  REQUIRE(found.size() == 2);
  CHECK(found[0].ordinal == 3);
  CHECK(found[1].ordinal == 4);
  CHECK(found[0].meta == "meta 3");
  CHECK(found[0].left_out_bytes == 0);
  limits.after_ordinal = 9;
  CHECK(look({SubtaskState::kPending}).empty());
  CHECK(look({SubtaskState::kRunning}).size() == 1);  // the bound is for pending rows
  limits.after_ordinal = 0;
  limits.max_meta_bytes = 6;
  found = look({SubtaskState::kPending});
  CHECK(found[0].meta == "meta 1");
  CHECK(found[0].left_out_bytes == 0);
  limits.max_meta_bytes = 5;
  found = look({SubtaskState::kPending});
  REQUIRE(found.size() == 2);
  CHECK(found[0].meta.empty());
  CHECK(found[0].left_out_bytes == 6);
  CHECK(look({SubtaskState::kRunning}).at(0).meta == "meta 6");
  CHECK(rows.table().getSubtaskMeta({}, found[0].id) == "meta 1");
  CHECK(rows.table().getSubtaskMeta({}, running) == "meta 6");
  CHECK_FALSE(rows.table().getSubtaskMeta({}, SubtaskId(999)));
}

TEST_CASE("A task is found by its id with and without meta, a missing one is nothing") {
  Rows rows;
  const auto task = rows.table().getTaskById({}, rows.taskId());
  REQUIRE(task);
  CHECK(task->key == "first");
  CHECK(task->type == "example");
  CHECK(task->state == TaskState::kRunning);
  CHECK(task->step == kOne);
  CHECK(task->priority == proto::kDefaultPriority);
  CHECK(task->slots == 4);
  CHECK(task->meta == "{}");
  CHECK(task->error.empty());
  CHECK(task->end_time == 0);
  const auto base = rows.table().getTaskBaseById({}, rows.taskId());
  REQUIRE(base);
  CHECK(base->key == "first");
  CHECK_FALSE(rows.table().getTaskById({}, TaskId(999)));
  CHECK_FALSE(rows.table().getTaskBaseById({}, TaskId(999)));
}

TEST_CASE("Tasks in states come in rank order, no states give none") {
  Rows rows;
  const auto add = [&](const char* key, std::int32_t priority, std::int64_t create_time, TaskState state) {
    proto::Task task;
    task.key = key;
    task.type = "example";
    task.state = state;
    task.priority = priority;
    task.create_time = create_time;
    task.meta = "{}";
    return rows->insertTask(task);
  };
  add("late", 500, 1'700'000'200, TaskState::kPaused);
  add("early", 500, 1'700'000'100, TaskState::kPending);
  add("same time", 500, 1'700'000'200, TaskState::kPending);
  add("urgent", -1, 1'700'000'300, TaskState::kPaused);
  add("other", 1, 1'700'000'000, TaskState::kSucceed);
  std::vector<std::string> keys;
  for (const auto& task :
       rows.table().getTasksInStates({}, {TaskState::kPaused, TaskState::kPending, TaskState::kPaused})) {
    keys.push_back(task.key);
  }
  CHECK(keys == std::vector<std::string>{"urgent", "early", "late", "same time"});
  CHECK(rows.table().getTasksInStates({}, {}).empty());
}

TEST_CASE("A node's tasks are those in running, reverting or pausing with pending or running rows there") {
  Rows rows;
  const auto with_row = [&](const char* key, TaskState task_state, SubtaskState state, const std::string& exec_id) {
    const auto task = rows.addTask(key, task_state);
    rows.add(1, state, exec_id, kOne, task);
  };
  with_row("reverting", TaskState::kReverting, SubtaskState::kPending, kNode);
  with_row("pausing", TaskState::kPausing, SubtaskState::kRunning, kNode);
  with_row("elsewhere", TaskState::kRunning, SubtaskState::kPending, kOtherNode);
  with_row("finished here", TaskState::kRunning, SubtaskState::kSucceed, kNode);
  with_row("paused row", TaskState::kRunning, SubtaskState::kPaused, kNode);
  for (const auto state :
       {TaskState::kPending,
        TaskState::kCancelling,
        TaskState::kPaused,
        TaskState::kResuming,
        TaskState::kModifying,
        TaskState::kAwaitingResolution,
        TaskState::kSucceed}) {
    with_row(std::string(toString(state)).c_str(), state, SubtaskState::kPending, kNode);
  }
  std::vector<std::string> keys;
  for (const auto& info : rows.table().getTaskExecInfoByExecId({}, kNode)) keys.push_back(info.task.key);
  CHECK(keys == std::vector<std::string>{"reverting", "pausing"});
  CHECK(rows.table().getTaskExecInfoByExecId({}, "nobody").empty());
}

TEST_CASE("A node's tasks come in rank order with the largest slots of their active rows") {
  Rows rows;
  proto::Task urgent;
  urgent.key = "urgent";
  urgent.type = "example";
  urgent.state = TaskState::kRunning;
  urgent.priority = 1;
  urgent.meta = "{}";
  const auto urgent_id = rows->insertTask(urgent);
  const auto add = [&](TaskId task, std::int32_t ordinal, SubtaskState state, std::int32_t slots) {
    proto::Subtask subtask;
    subtask.task_id = task;
    subtask.step = kOne;
    subtask.ordinal = ordinal;
    subtask.exec_id = kNode;
    subtask.state = state;
    subtask.slots = slots;
    subtask.summary = "{}";
    rows->insertSubtask(subtask);
  };
  add(rows.taskId(), 1, SubtaskState::kPending, 3);
  add(rows.taskId(), 2, SubtaskState::kRunning, 7);
  add(rows.taskId(), 3, SubtaskState::kSucceed, 9);
  add(urgent_id, 1, SubtaskState::kPending, 2);
  const auto infos = rows.table().getTaskExecInfoByExecId({}, kNode);
  REQUIRE(infos.size() == 2);
  CHECK(infos[0].task.key == "urgent");
  CHECK(infos[0].subtask_slots == 2);
  CHECK(infos[1].task.key == "first");
  CHECK(infos[1].subtask_slots == 7);
}

TEST_CASE("A pick gives this node's rows of this task, step and state by ordinal") {
  Rows rows;
  rows.add(3);
  rows.add(1);
  rows.add(2, SubtaskState::kPending, kOtherNode);
  rows.add(4, SubtaskState::kRunning);
  rows.add(5, SubtaskState::kSucceed);
  rows.add(1, SubtaskState::kPending, kNode, kTwo);
  rows.add(1, SubtaskState::kPending, kNode, kOne, rows.addTask("second", TaskState::kRunning));
  CHECK(rows.picked() == std::vector<std::int32_t>{1, 3});
  CHECK(rows.picked({SubtaskState::kPending, SubtaskState::kRunning}) == std::vector<std::int32_t>{1, 3, 4});
  CHECK(rows.picked({SubtaskState::kSucceed}) == std::vector<std::int32_t>{5});
  CHECK(rows.picked({}).empty());
}

TEST_CASE("A limit of a pick holds for each state") {
  Rows rows;
  for (std::int32_t ordinal = 1; ordinal <= 6; ++ordinal) {
    rows.add(ordinal, ordinal <= 3 ? SubtaskState::kPending : SubtaskState::kRunning);
  }
  CHECK(rows.picked({SubtaskState::kPending, SubtaskState::kRunning}, 2) == std::vector<std::int32_t>{1, 2, 4, 5});
}

TEST_CASE("A picked row carries all columns that a run needs") {
  Rows rows;
  const auto id = rows.addRunning(7, kForeignIdempotent);
  const auto found =
      rows.table().getSubtasksByExecIdAndStepAndStates({}, kNode, rows.taskId(), kOne, {SubtaskState::kRunning});
  REQUIRE(found.size() == 1);
  CHECK(found[0].id == id);
  CHECK(found[0].task_id == rows.taskId());
  CHECK(found[0].step == kOne);
  CHECK(found[0].ordinal == 7);
  CHECK(found[0].exec_id == kNode);
  CHECK(found[0].state == SubtaskState::kRunning);
  CHECK(found[0].slots == 4);
  CHECK(found[0].token.value() == kForeignIdempotent);
  CHECK(found[0].meta == "meta 7");
  CHECK(found[0].summary == "{}");
  CHECK(found[0].error.empty());
  CHECK(found[0].start_time == 0);
}

TEST_CASE("The first subtask is the running one of lowest ordinal, then the pending one") {
  Rows rows;
  const auto first = [&](const storage::SubtaskStates& states, const std::string& exec_id = kNode) {
    const auto found = rows.table().getFirstSubtaskInStates({}, exec_id, rows.taskId(), kOne, states);
    return found ? found->ordinal : 0;
  };
  rows.add(2);
  rows.add(1);
  CHECK(first({SubtaskState::kPending, SubtaskState::kRunning}) == 1);
  rows.add(9, SubtaskState::kRunning);
  rows.add(8, SubtaskState::kRunning);
  CHECK(first({SubtaskState::kPending, SubtaskState::kRunning}) == 8);
  CHECK(first({SubtaskState::kPending}) == 1);
  CHECK(first({SubtaskState::kFailed}) == 0);
  CHECK(first({SubtaskState::kPending}, kOtherNode) == 0);
}

TEST_CASE("Whether a node has subtasks in states does not depend on back-off") {
  Rows rows;
  const auto has = [&](const storage::SubtaskStates& states, const std::string& exec_id = kNode) {
    return rows.table().hasSubtasksInStates({}, exec_id, rows.taskId(), kOne, states);
  };
  CHECK_FALSE(has({SubtaskState::kPending}));
  const auto id = rows.add(1);
  rows->setWait(id, 60'000);
  CHECK(rows.picked().empty());
  CHECK(has({SubtaskState::kPending}));
  CHECK(has({SubtaskState::kRunning, SubtaskState::kPending}));
  CHECK_FALSE(has({SubtaskState::kRunning}));
  CHECK_FALSE(has({SubtaskState::kPending}, kOtherNode));
  CHECK_FALSE(has({}));
}

TEST_CASE("A row in back-off is passed over until its time, a time beyond the longest back-off counts as now") {
  Rows rows;
  const auto waits = rows.add(1);
  const auto over = rows.add(2);
  const auto mistaken = rows.add(3);
  rows.add(4);
  rows->setWait(waits, 60'000);
  rows->setWait(over, -1);
  rows->setWait(mistaken, 2 * 3'600'000);
  CHECK(rows.picked() == std::vector<std::int32_t>{2, 3, 4});
  CHECK(rows.table().getFirstSubtaskInStates({}, kNode, rows.taskId(), kOne, {SubtaskState::kPending})->ordinal == 2);
}

TEST_CASE("Adjacent task ids above 2^53 are not confused") {
  Rows rows;
  constexpr std::int64_t kBig = 9'007'199'254'740'992;
  const auto even = rows.addTask("even", TaskState::kRunning, kBig);
  const auto odd = rows.addTask("odd", TaskState::kRunning, kBig + 1);
  rows.add(1, SubtaskState::kPending, kNode, kOne, even);
  const auto of_odd = rows.add(2, SubtaskState::kRunning, kNode, kOne, odd);
  const auto pick = [&](TaskId task) {
    return rows.table().getSubtasksByExecIdAndStepAndStates(
        {}, kNode, task, kOne, {SubtaskState::kPending, SubtaskState::kRunning}
    );
  };
  REQUIRE(pick(even).size() == 1);
  CHECK(pick(even)[0].ordinal == 1);
  REQUIRE(pick(odd).size() == 1);
  CHECK(pick(odd)[0].ordinal == 2);
  CHECK(rows.table().takeOrphans({}, kNode, even, 3).empty());
  CHECK(rows.state(of_odd) == SubtaskState::kRunning);
  const auto infos = rows.table().getTaskExecInfoByExecId({}, kNode);
  REQUIRE(infos.size() == 2);
  CHECK(infos[0].task.id == even);
  CHECK(infos[1].task.id == odd);
}

TEST_CASE("Registration overwrites the role, recovery keeps it, and both write the slots") {
  Rows rows;
  rows.table().recoverMeta({}, kNode, "blue", 4);
  REQUIRE(rows->meta(kNode));
  CHECK(rows->meta(kNode)->role == "blue");
  CHECK(rows->meta(kNode)->cpu_count == 4);
  rows.table().recoverMeta({}, kNode, "red", 8);
  CHECK(rows->meta(kNode)->role == "blue");
  CHECK(rows->meta(kNode)->cpu_count == 8);
  rows.table().initMeta({}, kNode, "green", 16);
  CHECK(rows->meta(kNode)->role == "green");
  CHECK(rows->meta(kNode)->cpu_count == 16);
  CHECK_FALSE(rows->meta(kOtherNode));
}

TEST_CASE("A cancelled or late call throws and changes nothing") {
  Rows rows;
  const auto running = rows.start(1);
  const auto pending = rows.add(2);
  const auto orphan = rows.addRunning(3, kForeignIdempotent);
  const auto pending_row = rows.read(pending);
  const auto orphan_row = rows.read(orphan);
  const Error error(ErrorCode::kPluginFailed, "no");

  runtime::CancelSource source;
  source.cancel(runtime::CancelCause::kShutdown);
  Call cancelled;
  cancelled.token = source.token();
  Call late;
  late.deadline = runtime::Deadline(runtime::systemClock(), runtime::Duration::zero());

  for (const auto& [call, code] :
       {std::pair(cancelled, ErrorCode::kCancelled), std::pair(late, ErrorCode::kTimedOut)}) {
    auto& table = rows.table();
    std::int32_t retries = 0;
    const std::vector<std::function<void()>> methods{
        [&, c = call] { static_cast<void>(table.getTaskExecInfoByExecId(c, kNode)); },
        [&, c = call] { static_cast<void>(table.getTaskById(c, rows.taskId())); },
        [&, c = call] { static_cast<void>(table.getTaskBaseById(c, rows.taskId())); },
        [&, c = call] { static_cast<void>(table.getTasksInStates(c, {TaskState::kRunning})); },
        [&, c = call] {
          static_cast<void>(
              table.getSubtasksByExecIdAndStepAndStates(c, kNode, rows.taskId(), kOne, {SubtaskState::kPending})
          );
        },
        [&, c = call] {
          static_cast<void>(table.getFirstSubtaskInStates(c, kNode, rows.taskId(), kOne, {SubtaskState::kPending}));
        },
        [&, c = call] {
          static_cast<void>(table.hasSubtasksInStates(c, kNode, rows.taskId(), kOne, {SubtaskState::kPending}));
        },
        [&, c = call] { table.initMeta(c, kNode, "role", 1); },
        [&, c = call] { table.recoverMeta(c, kNode, "role", 1); },
        [&, c = call] { static_cast<void>(table.startSubtask(c, pending_row, kNode, true)); },
        [&, c = call] { static_cast<void>(table.finishSubtask(c, kNode, running, "new", {})); },
        [&, c = call] {
          static_cast<void>(table.updateSubtaskStateAndError(c, kNode, running, SubtaskState::kFailed, error));
        },
        [&, c = call] { static_cast<void>(table.failSubtask(c, kNode, rows.taskId(), error)); },
        [&, c = call] { static_cast<void>(table.cancelSubtask(c, kNode, rows.taskId())); },
        [&, c = call] { static_cast<void>(table.pauseSubtasks(c, kNode, rows.taskId())); },
        [&, c = call] { static_cast<void>(table.runningSubtasksBack2Pending(c, {orphan_row})); },
        [&, c = call] { static_cast<void>(table.updateSubtaskSummary(c, kNode, running, R"({"row_count":1})")); },
        [&, c = call] { static_cast<void>(table.updateSubtaskCheckpoint(c, kNode, running, "cp")); },
        [&, c = call] { static_cast<void>(table.getSubtaskCheckpoint(c, running)); },
        [&, c = call] {
          static_cast<void>(table.retrySubtaskLater(c, kNode, running, error, std::chrono::seconds(1), retries));
        },
        [&, c = call] { static_cast<void>(table.handBackSubtask(c, kNode, running, error)); },
        [&, c = call] { static_cast<void>(table.getSubtaskRetries(c, running)); },
        [&, c = call] { static_cast<void>(table.takeOrphans(c, kNode, rows.taskId(), 3)); },
        [&, c = call] { static_cast<void>(table.findLostRuns(c, kNode, {running})); },
        [&, c = call] { static_cast<void>(table.mustRunAlone(c, running)); },
    };
    for (std::size_t i = 0; i < methods.size(); ++i) {
      INFO("method " << i);
      std::optional<ErrorCode> thrown;
      try {
        methods[i]();
      } catch (const Exception& e) {
        thrown = e.error().code();
      }
      CHECK(thrown == code);
    }
  }
  CHECK_FALSE(rows->meta(kNode));
  CHECK(rows->row(running)->meta == "meta 1");
  CHECK(rows->row(running)->summary == "{}");
  CHECK(rows.state(running) == SubtaskState::kRunning);
  CHECK(rows.state(pending) == SubtaskState::kPending);
  CHECK(rows.state(orphan) == SubtaskState::kRunning);
  CHECK(rows->attempt(running).retries == 0);
  CHECK(rows->attempt(orphan).abnormal_ends == 0);
  // The run is still ours.
  CHECK(rows.table().finishSubtask({}, kNode, running, "done", {}) == TransitionOutcome::kApplied);
}
