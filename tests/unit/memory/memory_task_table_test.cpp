#include "disttask/storage/memory/memory_task_table.hpp"

#include "support/fake_clock.hpp"
#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::storage;
using namespace std::chrono_literals;

namespace {

constexpr Step kOne{1};
const Error kBroken{ErrorCode::kPluginFailed, "broken"};

/// One store and two processes, `here` of node a and `other` of node b.
struct Store {
  test::FakeClock clock;
  MemoryRows rows{clock};
  MemoryTaskTable here{rows};
  MemoryTaskTable other{rows};
  TaskId task = rows.insertTask(makeTask());
  Call call;

  static proto::Task makeTask() {
    proto::Task task;
    task.type = "t";
    task.state = TaskState::kRunning;
    task.step = kOne;
    return task;
  }
  proto::Subtask insert(const ExecId& exec_id = "a", SubtaskState state = SubtaskState::kPending) {
    proto::Subtask row;
    row.task_id = task;
    row.step = kOne;
    row.exec_id = exec_id;
    row.state = state;
    return *rows.subtask(rows.insertSubtask(row));
  }
  proto::Subtask start(bool idempotent = true) {
    const auto row = insert();
    REQUIRE(here.startSubtask(call, row, "a", idempotent) == TransitionOutcome::kApplied);
    return *rows.subtask(row.id);
  }
  SubtaskState stateOf(SubtaskId id) { return rows.subtask(id)->state; }
};

}  // namespace

TEST_CASE("MemoryTaskTable starts a pending row of its node with a token and nothing else", "[memory]") {
  Store store;
  const auto row = store.insert();
  CHECK(store.here.startSubtask(store.call, row, "b", true) == TransitionOutcome::kLost);
  REQUIRE(store.here.startSubtask(store.call, row, "a", true) == TransitionOutcome::kApplied);
  const auto started = store.rows.subtask(row.id);
  CHECK(started->state == SubtaskState::kRunning);
  CHECK(started->token == store.here.liveToken(row.id));
  CHECK(proto::isIdempotent(started->token));
  CHECK(started->start_time > 0);
  CHECK(store.other.startSubtask(store.call, row, "a", true) == TransitionOutcome::kLost);
}

TEST_CASE("MemoryTaskTable drops the end of a run whose row was moved", "[memory]") {
  Store store;
  const auto row = store.start();
  store.rows.change([&](auto& data) { data.subtasks[row.id].exec_id = "b"; });
  CHECK(store.here.findLostRuns(store.call, "a", {row.id}) == std::vector<SubtaskId>{row.id});
  CHECK(store.here.finishSubtask(store.call, "a", row.id, "result", std::nullopt) == TransitionOutcome::kLost);
  CHECK(store.stateOf(row.id) == SubtaskState::kRunning);
  CHECK(store.here.liveToken(row.id).value() == 0);
}

TEST_CASE("MemoryTaskTable takes a finish whose answer was lost as applied when it is sent again", "[memory]") {
  Store store;
  const auto row = store.start();
  store.rows.inject({.method = "finishSubtask", .after = true});
  CHECK_THROWS_AS(store.here.finishSubtask(store.call, "a", row.id, "result", "{}"), Exception);
  CHECK(store.here.finishSubtask(store.call, "a", row.id, "result", "{}") == TransitionOutcome::kApplied);
  CHECK(store.rows.subtask(row.id)->meta == "result");
}

TEST_CASE("MemoryTaskTable finds a start whose answer was lost as an orphan that never began", "[memory]") {
  Store store;
  const auto row = store.insert();
  store.rows.inject({.method = "startSubtask", .after = true});
  CHECK_THROWS_AS(store.here.startSubtask(store.call, row, "a", false), Exception);
  CHECK(store.stateOf(row.id) == SubtaskState::kRunning);
  const auto taken = store.here.takeOrphans(store.call, "a", store.task, 3);
  REQUIRE(taken.size() == 1);
  CHECK(taken.front().second == OrphanOutcome::kGivenBack);
  CHECK(store.rows.attempt(row.id).abnormal_ends == 0);
}

TEST_CASE("MemoryTaskTable leaves live runs alone when it looks for orphans", "[memory]") {
  Store store;
  const auto row = store.start();
  CHECK(store.here.takeOrphans(store.call, "a", store.task, 3).empty());
  CHECK(store.here.cancelSubtask(store.call, "a", store.task) == 0);
  CHECK(store.here.pauseSubtasks(store.call, "a", store.task) == 0);
  CHECK(store.stateOf(row.id) == SubtaskState::kRunning);
}

TEST_CASE(
    "MemoryTaskTable counts an abnormal end once and fails a subtask that ended its node alone too often", "[memory]"
) {
  Store store;
  auto row = store.start();
  for (int end = 1; end <= 5; ++end) {
    MemoryTaskTable restarted(store.rows);  // a process that knows nothing of the run
    const auto taken = restarted.takeOrphans(store.call, "a", store.task, 3);
    REQUIRE(taken.size() == 1);
    CHECK(store.rows.attempt(row.id).abnormal_ends == end);
    CHECK(restarted.mustRunAlone(store.call, row.id) == (end >= 2));
    if (end == 5) {
      CHECK(taken.front().second == OrphanOutcome::kFailed);
      CHECK(store.rows.subtask(row.id)->error == "ended its node 5 times");
      break;
    }
    CHECK(taken.front().second == OrphanOutcome::kGivenBack);
    REQUIRE(restarted.startSubtask(store.call, *store.rows.subtask(row.id), "a", true) == TransitionOutcome::kApplied);
  }
}

TEST_CASE("MemoryTaskTable fails an orphan that may not run again", "[memory]") {
  Store store;
  const auto row = store.start(/*idempotent=*/false);
  const auto taken = store.other.takeOrphans(store.call, "a", store.task, 3);
  REQUIRE(taken.size() == 1);
  CHECK(taken.front().second == OrphanOutcome::kFailed);
  CHECK(store.rows.subtask(row.id)->error == "subtask in running state and is not idempotent");
}

TEST_CASE("MemoryTaskTable keeps a row in back-off from the queue but still says that it is there", "[memory]") {
  Store store;
  const auto row = store.start();
  std::int32_t retries = 0;
  REQUIRE(store.here.retrySubtaskLater(store.call, "a", row.id, kBroken, 5s, retries) == TransitionOutcome::kApplied);
  CHECK(retries == 1);
  const auto pending = [&] {
    return store.here.getSubtasksByExecIdAndStepAndStates(store.call, "a", store.task, kOne, {SubtaskState::kPending})
        .size();
  };
  CHECK(pending() == 0);
  CHECK(store.here.hasSubtasksInStates(store.call, "a", store.task, kOne, {SubtaskState::kPending}));
  store.clock.advance(5s);
  CHECK(pending() == 1);
}

TEST_CASE("MemoryTaskTable does not pick what its node has handed back", "[memory]") {
  Store store;
  const auto row = store.start();
  REQUIRE(store.here.handBackSubtask(store.call, "a", row.id, kBroken) == TransitionOutcome::kApplied);
  CHECK_FALSE(store.here.getFirstSubtaskInStates(store.call, "a", store.task, kOne, {SubtaskState::kPending}));
  store.rows.change([&](auto& data) { data.subtasks[row.id].exec_id = "b"; });
  CHECK(store.other.getFirstSubtaskInStates(store.call, "b", store.task, kOne, {SubtaskState::kPending}));
}

TEST_CASE("MemoryTaskTable fences a checkpoint in doubt by a new token", "[memory]") {
  Store store;
  const auto row = store.start();
  const auto first = store.here.liveToken(row.id);
  store.rows.inject({.method = "updateSubtaskCheckpoint"});
  CHECK_THROWS_AS(store.here.updateSubtaskCheckpoint(store.call, "a", row.id, "1"), Exception);
  REQUIRE(store.here.updateSubtaskCheckpoint(store.call, "a", row.id, "2") == TransitionOutcome::kApplied);
  CHECK(store.rows.subtask(row.id)->token != first);
  CHECK(store.rows.checkpoint(row.id) == "2");
  CHECK(store.here.finishSubtask(store.call, "a", row.id, "", std::nullopt) == TransitionOutcome::kApplied);
}

TEST_CASE("MemoryTaskTable fails the pending row of lowest ordinal and keeps its start time", "[memory]") {
  Store store;
  const auto running = store.start();
  const auto first = store.insert();
  const auto second = store.insert();
  CHECK(store.here.failSubtask(store.call, "a", store.task, kBroken) == TransitionOutcome::kApplied);
  CHECK(store.stateOf(running.id) == SubtaskState::kRunning);
  CHECK(store.stateOf(first.id) == SubtaskState::kFailed);
  CHECK(store.rows.subtask(first.id)->end_time > 0);
  CHECK(store.stateOf(second.id) == SubtaskState::kPending);
  CHECK(store.here.failSubtask(store.call, "b", store.task, kBroken) == TransitionOutcome::kMissing);
}

TEST_CASE("MemoryTaskTable writes pending rows on pause only beside DXF", "[memory]") {
  Store store;
  const auto row = store.insert();
  CHECK(store.here.pauseSubtasks(store.call, "a", store.task) == 0);
  MemoryTaskTable shared(store.rows, /*shared_with_dxf=*/true);
  CHECK(shared.pauseSubtasks(store.call, "a", store.task) == 1);
  CHECK(store.stateOf(row.id) == SubtaskState::kPaused);
}

TEST_CASE("MemoryTaskTable never pauses a row that may not run twice", "[memory]") {
  Store store;
  const auto row = store.start(/*idempotent=*/false);
  CHECK(store.other.pauseSubtasks(store.call, "a", store.task) == 1);
  CHECK(store.stateOf(row.id) == SubtaskState::kFailed);
}

TEST_CASE("MemoryTaskTable lists the tasks of a node in rank order", "[memory]") {
  Store store;
  auto urgent = Store::makeTask();
  urgent.priority = 1;
  const auto urgent_id = store.rows.insertTask(urgent);
  auto row = store.insert();
  row.id = SubtaskId();
  row.task_id = urgent_id;
  row.slots = 3;
  store.rows.insertSubtask(row);
  const auto infos = store.here.getTaskExecInfoByExecId(store.call, "a");
  REQUIRE(infos.size() == 2);
  CHECK(infos[0].task.id == urgent_id);
  CHECK(infos[0].subtask_slots == 3);
  CHECK(infos[1].task.id == store.task);
  CHECK(store.here.getTaskExecInfoByExecId(store.call, "b").empty());
  store.rows.change([&](auto& data) { data.tasks[urgent_id].state = TaskState::kCancelling; });
  CHECK(store.here.getTaskExecInfoByExecId(store.call, "a").size() == 1);
}

TEST_CASE("MemoryTaskTable keeps an existing role when it recovers the meta row", "[memory]") {
  Store store;
  store.here.recoverMeta(store.call, "a", "mine", 4);
  store.rows.change([](auto& data) { data.metas["a"].role = "theirs"; });
  store.here.recoverMeta(store.call, "a", "mine", 8);
  CHECK(store.rows.meta("a")->role == "theirs");
  CHECK(store.rows.meta("a")->slots == 8);
  store.here.initMeta(store.call, "a", "mine", 8);
  CHECK(store.rows.meta("a")->role == "mine");
}

TEST_CASE("MemoryTaskTable throws at a cancelled or late call and changes nothing", "[memory]") {
  Store store;
  const auto row = store.start();
  runtime::CancelSource source;
  source.cancel(runtime::CancelCause::kShutdown);
  CHECK_THROWS_AS(store.here.finishSubtask({source.token(), {}}, "a", row.id, "", std::nullopt), Exception);
  const runtime::Deadline past(store.clock, 0s);
  CHECK_THROWS_AS(store.here.getTaskById({{}, past}, store.task), Exception);
  CHECK(store.stateOf(row.id) == SubtaskState::kRunning);
}
