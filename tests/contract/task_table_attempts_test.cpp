// Retries, hand-backs and abnormal ends: what the side row of attempts keeps.
#include "task_table_fixture.hpp"

using namespace disttask;        // NOLINT: a test
using namespace disttask::test;  // NOLINT: a test

namespace {

constexpr auto kApplied = TransitionOutcome::kApplied;
using Orphans = std::vector<std::pair<SubtaskId, OrphanOutcome>>;

}  // namespace

TEST_CASE("A retry makes the row pending, keeps the error and waits for the delay") {
  Rows rows;
  const auto id = rows.start(1);
  std::int32_t retries = 0;
  CHECK(
      rows.table().retrySubtaskLater(
          {}, kNode, id, Error(ErrorCode::kPluginFailed, "no route"), std::chrono::seconds(40), retries
      ) == kApplied
  );
  CHECK(retries == 1);
  CHECK(rows.state(id) == SubtaskState::kPending);
  CHECK(rows->attempt(id).retries == 1);
  CHECK(rows->attempt(id).last_error == "no route");
  CHECK(rows->attempt(id).wait_ms > 20'000);
  CHECK(rows->attempt(id).wait_ms <= 40'000);
  CHECK(rows->attempt(id).abnormal_ends == 0);
  CHECK(rows.picked().empty());
  CHECK(rows.table().getSubtaskRetries({}, id) == 1);
  CHECK(rows.table().liveToken(id) == proto::RunToken{});
}

TEST_CASE("Retries are counted over all runs of a subtask") {
  Rows rows;
  const auto id = rows.start(1);
  CHECK(rows.table().getSubtaskRetries({}, id) == 0);
  std::int32_t retries = 0;
  const Error error(ErrorCode::kPluginFailed, "again");
  REQUIRE(rows.table().retrySubtaskLater({}, kNode, id, error, runtime::Duration::zero(), retries) == kApplied);
  REQUIRE(rows.picked() == std::vector<std::int32_t>{1});
  REQUIRE(rows.table().startSubtask({}, rows.read(id), kNode, true) == kApplied);
  REQUIRE(rows.table().retrySubtaskLater({}, kNode, id, error, runtime::Duration::zero(), retries) == kApplied);
  CHECK(retries == 2);
  CHECK(rows.other().getSubtaskRetries({}, id) == 2);
}

TEST_CASE("A row that was handed back is not picked here again, but by others") {
  Rows rows;
  const auto id = rows.start(1);
  CHECK(rows.table().handBackSubtask({}, kNode, id, Error(ErrorCode::kPluginFailed, "no such file")) == kApplied);
  CHECK(rows.state(id) == SubtaskState::kPending);
  CHECK(rows->attempt(id).handed_back == std::vector<std::string>{kNode});
  CHECK(rows->attempt(id).last_error == "no such file");
  CHECK(rows->attempt(id).retries == 0);
  CHECK(rows.picked().empty());
  CHECK_FALSE(rows.table().getFirstSubtaskInStates({}, kNode, rows.taskId(), kOne, {SubtaskState::kPending}));
  CHECK(rows.table().hasSubtasksInStates({}, kNode, rows.taskId(), kOne, {SubtaskState::kPending}));
  rows->setExecId(id, kOtherNode);
  const auto there =
      rows.other().getSubtasksByExecIdAndStepAndStates({}, kOtherNode, rows.taskId(), kOne, {SubtaskState::kPending});
  CHECK(there.size() == 1);
}

TEST_CASE("Each node that handed a row back is kept once") {
  Rows rows;
  const auto id = rows.start(1);
  const Error error(ErrorCode::kPluginFailed, "not here");
  REQUIRE(rows.table().handBackSubtask({}, kNode, id, error) == kApplied);
  rows->setExecId(id, kOtherNode);
  REQUIRE(rows.other().startSubtask({}, rows.read(id), kOtherNode, true) == kApplied);
  REQUIRE(rows.other().handBackSubtask({}, kOtherNode, id, error) == kApplied);
  rows->setExecId(id, kNode);
  REQUIRE(rows.table().startSubtask({}, rows.read(id), kNode, true) == kApplied);
  REQUIRE(rows.table().handBackSubtask({}, kNode, id, error) == kApplied);
  CHECK(rows->attempt(id).handed_back == std::vector<std::string>{kNode, kOtherNode});
}

TEST_CASE("Orphans are pending again when idempotent, else failed") {
  Rows rows;
  const auto idempotent = rows.addRunning(1, kForeignIdempotent);
  const auto once = rows.addRunning(2, kForeignOnce);
  const auto tokenless = rows.addRunning(3, std::nullopt);
  const auto mine = rows.start(4);
  const auto elsewhere = rows.addRunning(5, kForeignIdempotent, kOtherNode);
  CHECK(
      rows.table().takeOrphans({}, kNode, rows.taskId(), 3) ==
      Orphans{
          {idempotent, OrphanOutcome::kGivenBack}, {once, OrphanOutcome::kFailed}, {tokenless, OrphanOutcome::kFailed}}
  );
  CHECK(rows.state(idempotent) == SubtaskState::kPending);
  CHECK(rows->row(idempotent)->error.empty());
  for (const auto id : {once, tokenless}) {
    CHECK(rows.state(id) == SubtaskState::kFailed);
    CHECK(rows->row(id)->error == "subtask in running state and is not idempotent");
    CHECK(rows->row(id)->end_time > 0);
  }
  CHECK(rows.state(mine) == SubtaskState::kRunning);
  CHECK(rows.state(elsewhere) == SubtaskState::kRunning);
  CHECK(rows->attempt(idempotent).abnormal_ends == 1);
  CHECK(rows->attempt(mine).abnormal_ends == 0);
  CHECK(rows.table().takeOrphans({}, kNode, rows.taskId(), 3).empty());
}

TEST_CASE("A row whose give-back failed is given back or paused as an orphan, whether it may run twice or not") {
  const bool idempotent = GENERATE(true, false);
  const bool pausing = GENERATE(false, true);
  Rows rows;
  const auto id = rows.start(1, idempotent);
  runtime::CancelSource over;
  over.cancel(runtime::CancelCause::kDeadline);
  CHECK_THROWS_AS(rows.table().giveBackSubtask({over.token(), {}}, kNode, id), Exception);
  REQUIRE(rows.state(id) == SubtaskState::kRunning);
  if (pausing) {
    CHECK(rows.table().pauseSubtasks({}, kNode, rows.taskId()) == 1);
    CHECK(rows.state(id) == SubtaskState::kPaused);
  } else {
    const std::vector<std::pair<SubtaskId, OrphanOutcome>> given_back{{id, OrphanOutcome::kGivenBack}};
    CHECK(rows.table().takeOrphans({}, kNode, rows.taskId(), 3) == given_back);
    CHECK(rows.state(id) == SubtaskState::kPending);
  }
  CHECK(rows->attempt(id).abnormal_ends == 0);
}

TEST_CASE("A run of another process of this node is an orphan here") {
  Rows rows;
  const auto id = rows.add(1);
  REQUIRE(rows.other().startSubtask({}, rows.read(id), kNode, true) == kApplied);
  CHECK(rows.table().takeOrphans({}, kNode, rows.taskId(), 3) == Orphans{{id, OrphanOutcome::kGivenBack}});
  CHECK(rows.other().finishSubtask({}, kNode, id, "late", {}) == TransitionOutcome::kLost);
  CHECK(rows.state(id) == SubtaskState::kPending);
}

TEST_CASE("An abnormal end is counted once per token") {
  Rows rows;
  const auto id = rows.addRunning(1, kForeignIdempotent);
  REQUIRE(rows.table().takeOrphans({}, kNode, rows.taskId(), 3).size() == 1);
  CHECK(rows->attempt(id).abnormal_ends == 1);
  // A failover brings the row back as it was before.
  rows->setState(id, SubtaskState::kRunning);
  REQUIRE(rows.table().takeOrphans({}, kNode, rows.taskId(), 3).size() == 1);
  CHECK(rows->attempt(id).abnormal_ends == 1);
  rows->setState(id, SubtaskState::kRunning);
  rows->setToken(id, kForeignIdempotent - 2);
  REQUIRE(rows.table().takeOrphans({}, kNode, rows.taskId(), 3).size() == 1);
  CHECK(rows->attempt(id).abnormal_ends == 2);
}

TEST_CASE("From the second abnormal end on a subtask runs alone, and only ends when alone reach the limit") {
  Rows rows;
  const auto id = rows.addRunning(1, kForeignIdempotent);
  std::int64_t token = kForeignIdempotent;
  const auto endAbnormally = [&] {
    rows->setState(id, SubtaskState::kRunning);
    token -= 2;
    rows->setToken(id, token);
    const auto taken = rows.table().takeOrphans({}, kNode, rows.taskId(), 3);
    REQUIRE(taken.size() == 1);
    return taken[0].second;
  };
  CHECK_FALSE(rows.table().mustRunAlone({}, id));
  CHECK(endAbnormally() == OrphanOutcome::kGivenBack);
  CHECK_FALSE(rows.table().mustRunAlone({}, id));
  CHECK(endAbnormally() == OrphanOutcome::kGivenBack);
  CHECK(rows.table().mustRunAlone({}, id));
  CHECK(rows->attempt(id).ends_alone == 0);
  CHECK(endAbnormally() == OrphanOutcome::kGivenBack);
  CHECK(rows->attempt(id).ends_alone == 1);
  CHECK(endAbnormally() == OrphanOutcome::kGivenBack);
  CHECK(endAbnormally() == OrphanOutcome::kFailed);
  CHECK(rows->attempt(id).ends_alone == 3);
  CHECK(rows->row(id)->error == "ended its node 5 times");
  CHECK(rows->row(id)->end_time > 0);
  CHECK_FALSE(rows.table().mustRunAlone({}, SubtaskId(999)));
}

TEST_CASE("Rows back to pending: only those running as read, on the node named, without a live run") {
  Rows rows;
  const auto surplus = rows.addRunning(1, kForeignIdempotent);
  const auto mine = rows.start(2);
  const auto moved = rows.addRunning(3, kForeignIdempotent);
  const auto restarted = rows.addRunning(4, kForeignIdempotent);
  const auto done = rows.addRunning(5, kForeignIdempotent);
  const auto untouched = rows.addRunning(6, kForeignIdempotent);
  const std::vector<proto::SubtaskBase> read{
      rows.read(surplus), rows.read(mine), rows.read(moved), rows.read(restarted), rows.read(done)};
  rows->setExecId(moved, kOtherNode);
  rows->setToken(restarted, kForeignIdempotent - 2);
  rows->setState(done, SubtaskState::kSucceed);
  CHECK(rows.table().runningSubtasksBack2Pending({}, read) == 1);
  CHECK(rows.state(surplus) == SubtaskState::kPending);
  CHECK(rows->row(surplus)->state_update_time > 0);
  CHECK(rows.state(mine) == SubtaskState::kRunning);
  CHECK(rows.state(moved) == SubtaskState::kRunning);
  CHECK(rows.state(restarted) == SubtaskState::kRunning);
  CHECK(rows.state(done) == SubtaskState::kSucceed);
  CHECK(rows.state(untouched) == SubtaskState::kRunning);
  CHECK(rows.table().runningSubtasksBack2Pending({}, {}) == 0);
}
