// Rows that no run of this process holds: failures of a task, cancel and pause by the node (contract 6, entries 124 and
// 128 to 131).
#include "task_table_fixture.hpp"

using namespace disttask;        // NOLINT: a test
using namespace disttask::test;  // NOLINT: a test

namespace {

constexpr auto kApplied = TransitionOutcome::kApplied;
const Error kError(ErrorCode::kPluginFailed, "factory failed");

}  // namespace

TEST_CASE("A failure of the task fails its pending row of lowest ordinal on this node") {
  Rows rows;
  const auto later = rows.add(3);
  const auto first = rows.add(2);
  const auto elsewhere = rows.add(1, SubtaskState::kPending, kOtherNode);
  CHECK(rows.table().failSubtask({}, kNode, rows.taskId(), kError) == kApplied);
  const auto row = rows->row(first).value();
  CHECK(row.state == SubtaskState::kFailed);
  CHECK(row.error == "factory failed");
  CHECK(row.start_time > 0);
  CHECK(row.state_update_time > 0);
  CHECK(row.end_time > 0);
  CHECK(rows.state(later) == SubtaskState::kPending);
  CHECK(rows.state(elsewhere) == SubtaskState::kPending);
}

TEST_CASE("A failure of the task takes a running row only where no run is live") {
  Rows rows;
  const auto mine = rows.start(1);
  CHECK(rows.table().failSubtask({}, kNode, rows.taskId(), kError) == TransitionOutcome::kMissing);
  const auto orphan = rows.addRunning(2, kForeignOnce);
  CHECK(rows.table().failSubtask({}, kNode, rows.taskId(), kError) == kApplied);
  CHECK(rows.state(mine) == SubtaskState::kRunning);
  CHECK(rows.state(orphan) == SubtaskState::kFailed);
  CHECK(rows->row(orphan)->error == "factory failed");
}

TEST_CASE("A failure of the task keeps a start time that is there") {
  Rows rows;
  const auto id = rows.start(1);
  REQUIRE(rows.table().giveBackSubtask({}, kNode, id) == kApplied);
  const auto start_time = rows->row(id)->start_time;
  REQUIRE(start_time > 0);
  REQUIRE(rows.table().failSubtask({}, kNode, rows.taskId(), kError) == kApplied);
  CHECK(rows->row(id)->start_time == start_time);
}

TEST_CASE("A failure of a task without rows here finds none") {
  Rows rows;
  rows.add(1, SubtaskState::kSucceed);
  rows.add(2, SubtaskState::kPending, kOtherNode);
  CHECK(rows.table().failSubtask({}, kNode, rows.taskId(), kError) == TransitionOutcome::kMissing);
}

TEST_CASE("Cancel takes all running rows of this node and task that no run holds, and no pending ones") {
  Rows rows;
  const auto mine = rows.start(1);
  const auto first = rows.addRunning(2, kForeignIdempotent);
  const auto second = rows.addRunning(3, std::nullopt);
  const auto pending = rows.add(4);
  const auto done = rows.add(5, SubtaskState::kSucceed);
  const auto elsewhere = rows.addRunning(6, kForeignIdempotent, kOtherNode);
  const auto other_task = rows.add(1, SubtaskState::kRunning, kNode, kOne, rows.addTask("second", TaskState::kRunning));
  CHECK(rows.table().cancelSubtask({}, kNode, rows.taskId()) == 2);
  for (const auto id : {first, second}) {
    CHECK(rows.state(id) == SubtaskState::kCanceled);
    CHECK(rows->row(id)->start_time > 0);
    CHECK(rows->row(id)->state_update_time > 0);
    CHECK(rows->row(id)->end_time > 0);
    CHECK(rows->row(id)->error.empty());
  }
  CHECK(rows.state(mine) == SubtaskState::kRunning);
  CHECK(rows.state(pending) == SubtaskState::kPending);
  CHECK(rows.state(done) == SubtaskState::kSucceed);
  CHECK(rows.state(elsewhere) == SubtaskState::kRunning);
  CHECK(rows.state(other_task) == SubtaskState::kRunning);
  CHECK(rows.table().cancelSubtask({}, kNode, rows.taskId()) == 0);
}

TEST_CASE("Pause takes all running rows of this node and task that no run holds, and no pending ones") {
  Rows rows;
  const auto mine = rows.start(1);
  const auto orphan = rows.addRunning(2, kForeignIdempotent);
  const auto pending = rows.add(3);
  const auto done = rows.add(4, SubtaskState::kSucceed);
  const auto elsewhere = rows.addRunning(5, kForeignIdempotent, kOtherNode);
  CHECK(rows.table().pauseSubtasks({}, kNode, rows.taskId()) == 1);
  CHECK(rows.state(orphan) == SubtaskState::kPaused);
  CHECK(rows->row(orphan)->state_update_time > 0);
  CHECK(rows->row(orphan)->end_time == 0);
  CHECK(rows.state(mine) == SubtaskState::kRunning);
  CHECK(rows.state(pending) == SubtaskState::kPending);
  CHECK(rows.state(done) == SubtaskState::kSucceed);
  CHECK(rows.state(elsewhere) == SubtaskState::kRunning);
}

TEST_CASE("Pause fails a row that may not run twice instead of pausing it") {
  Rows rows;
  const auto once = rows.addRunning(1, kForeignOnce);
  CHECK(rows.table().pauseSubtasks({}, kNode, rows.taskId()) == 1);
  CHECK(rows.state(once) == SubtaskState::kFailed);
  CHECK(rows->row(once)->error == "subtask in running state and is not idempotent");
}

TEST_CASE("Beside a live DXF a node cancels and pauses its pending rows too") {
  Rows rows;
  std::vector<SubtaskId> pending;
  for (std::int32_t ordinal = 1; ordinal <= 70; ++ordinal) pending.push_back(rows.add(ordinal));
  const auto elsewhere = rows.add(99, SubtaskState::kPending, kOtherNode);
  const auto running = rows.addRunning(100, kForeignIdempotent);
  SECTION("cancel") {
    CHECK(rows->shared().cancelSubtask({}, kNode, rows.taskId()) == 71);
    for (const auto id : pending) CHECK(rows.state(id) == SubtaskState::kCanceled);
    CHECK(rows->row(pending[0])->end_time > 0);
    CHECK(rows.state(running) == SubtaskState::kCanceled);
  }
  SECTION("pause") {
    CHECK(rows->shared().pauseSubtasks({}, kNode, rows.taskId()) == 71);
    for (const auto id : pending) CHECK(rows.state(id) == SubtaskState::kPaused);
    CHECK(rows->row(pending[0])->end_time == 0);
    CHECK(rows.state(running) == SubtaskState::kPaused);
  }
  CHECK(rows.state(elsewhere) == SubtaskState::kPending);
}

TEST_CASE("Beside a live DXF running rows without a token are left to their type, others are not") {
  Rows rows;
  const auto unmarked = rows.addRunning(1, std::nullopt);
  const auto zero = rows.addRunning(2, 0);
  const auto again = rows.addRunning(3, kForeignIdempotent);
  const auto once = rows.addRunning(4, kForeignOnce);
  const std::vector<std::pair<SubtaskId, OrphanOutcome>> taken =
      rows->shared().takeOrphans({}, kNode, rows.taskId(), 3);
  CHECK(
      taken ==
      std::vector<std::pair<SubtaskId, OrphanOutcome>>{
          {unmarked, OrphanOutcome::kUnmarked},
          {zero, OrphanOutcome::kUnmarked},
          {again, OrphanOutcome::kGivenBack},
          {once, OrphanOutcome::kFailed}}
  );
  for (const auto id : {unmarked, zero}) {
    CHECK(rows.state(id) == SubtaskState::kRunning);
    CHECK(rows->row(id)->state_update_time == 0);
    CHECK(rows->attempt(id).abnormal_ends == 0);
  }
}

TEST_CASE("Beside a live DXF a running row without a token leaves it as its type says, uncounted") {
  Rows rows;
  const auto id = rows.addRunning(1, std::nullopt);
  const auto row = rows.read(id);
  SECTION("it may run again") {
    CHECK(rows->shared().takeUnmarked({}, row, true) == OrphanOutcome::kGivenBack);
    CHECK(rows.state(id) == SubtaskState::kPending);
    CHECK(rows->row(id)->state_update_time > 0);
  }
  SECTION("it may not") {
    CHECK(rows->shared().takeUnmarked({}, row, false) == OrphanOutcome::kFailed);
    CHECK(rows.state(id) == SubtaskState::kFailed);
    CHECK(rows->row(id)->error == "subtask in running state and is not idempotent");
    CHECK(rows->row(id)->end_time == 0);
  }
  CHECK(rows->row(id)->token == proto::RunToken());
  CHECK(rows->attempt(id).abnormal_ends == 0);
}

TEST_CASE("Beside a live DXF a running row without a token that was changed meanwhile is left alone") {
  const bool idempotent = GENERATE(true, false);
  Rows rows;
  const auto id = rows.addRunning(1, std::nullopt);
  const auto row = rows.read(id);
  SECTION("moved away") {
    rows->setExecId(id, kOtherNode);
  }
  SECTION("ended") {
    rows->setState(id, SubtaskState::kSucceed);
  }
  SECTION("begun by a node that writes tokens") {
    rows->setToken(id, kForeignIdempotent);
  }
  SECTION("gone") {
    rows->remove(id);
    CHECK(rows->shared().takeUnmarked({}, row, idempotent) == OrphanOutcome::kLost);
    return;
  }
  const auto before = rows.read(id);
  CHECK(rows->shared().takeUnmarked({}, row, idempotent) == OrphanOutcome::kLost);
  CHECK(rows.state(id) == before.state);
  CHECK(rows->row(id)->state_update_time == 0);
}

TEST_CASE("Beside a live DXF a running row without a token is paused without one, whether it may run twice or not") {
  Rows rows;
  const auto unmarked = rows.addRunning(1, std::nullopt);
  const auto once = rows.addRunning(2, kForeignOnce);
  CHECK(rows->shared().pauseSubtasks({}, kNode, rows.taskId()) == 2);
  CHECK(rows.state(unmarked) == SubtaskState::kPaused);
  CHECK(rows->row(unmarked)->error.empty());
  // Else whoever finds it running again, begun by TiDB, would take the token's word for the type's.
  CHECK(rows->row(unmarked)->token == proto::RunToken());
  CHECK(rows.state(once) == SubtaskState::kFailed);
  CHECK(rows->row(once)->error == "subtask in running state and is not idempotent");
  CHECK(rows->row(once)->end_time == 0);  // as in a task that runs
}
