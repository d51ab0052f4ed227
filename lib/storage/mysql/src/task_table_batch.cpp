// Many starts and finishes in one statement, and what is concluded about each of them afterwards.
#include "disttask/base/random.hpp"
#include "run_batch.hpp"
#include "task_table.hpp"

#include "statements/run_batch.hpp"
#include "statements/task.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace disttask::storage::mysql {

namespace {

/// A statement of this size may have broken the connection by being larger than the server takes.
constexpr std::size_t kSuspectBytes = 64 << 10;

}  // namespace

void MySqlTaskTable::settle(const RunBatchRow& row, TransitionOutcome outcome, std::vector<RunWriteResult>& results) {
  results[row.index].outcome = outcome;
  if (row.finish != nullptr) {
    tokens_.end(row.id);
  } else if (outcome != TransitionOutcome::kApplied) {
    // An earlier try may still land: then the row is found as an orphan that never began.
    tokens_.abandon(row.id, PastRun::kNeverBegun);
  }
}

void MySqlTaskTable::fail(const RunBatchRow& row, const Error& error, std::vector<RunWriteResult>& results) {
  results[row.index].error = error;
  // The token of a finish stays live: its row is still ours.
  if (row.start != nullptr) tokens_.abandon(row.id, PastRun::kNeverBegun);
}

std::vector<RunWriteResult> MySqlTaskTable::writeRuns(
    const Call& call, const ExecId& exec_id, const std::vector<RunWrite>& writes
) {
  call.check(kRunBatchName);
  std::vector<RunWriteResult> results(writes.size());
  std::vector<RunBatchRow> rows;
  rows.reserve(writes.size());
  const auto shared_random = randomToken() >> 1;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    RunBatchRow row;
    row.index = i;
    row.bytes = sizeOf(writes[i]);
    if (const auto* finish = std::get_if<RunFinish>(&writes[i])) {
      row.id = finish->id;
      row.finish = finish;
      if (finish->summary) row.summary = summaryFor(*finish->summary);
      row.token = tokens_.live(row.id);
      if (row.token == proto::RunToken{}) continue;
    } else {
      const auto& start = std::get<RunStart>(writes[i]);
      const auto begun = tokens_.begin(start.id, batchTokenOf(shared_random, start));
      if (!begun) continue;
      tokens_.noteStart(start.id, start.as_read);
      row.id = start.id;
      row.start = &start;
      row.token = *begun;
    }
    rows.push_back(row);
  }
  // Rows are locked in one order by everybody (design rule 14).
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  RetryPause pause(context_, call, kRunBatchName);
  std::vector<RunBatchRow> batch;
  std::size_t bytes = 0;
  for (const auto& row : rows) {
    if (!batch.empty() && (batch.size() == kMaxRunWrites || bytes + row.bytes > kMaxRunWriteBytes)) {
      writeBatch(pause, exec_id, std::exchange(batch, {}), results);
      bytes = 0;
    }
    batch.push_back(row);
    bytes += row.bytes;
  }
  if (!batch.empty()) writeBatch(pause, exec_id, std::move(batch), results);
  return results;
}

void MySqlTaskTable::writeBatch(
    RetryPause& pause, const ExecId& exec_id, std::vector<RunBatchRow> rows, std::vector<RunWriteResult>& results
) {
  const auto failAll = [&](const Error& error) {
    for (const auto& row : rows) fail(row, error, results);
  };
  const auto writeEach = [&] {
    for (const auto& row : rows) writeBatch(pause, exec_id, {row}, results);
  };
  for (;;) {
    std::size_t bytes = 0;
    for (const auto& row : rows) bytes += row.bytes;
    std::optional<Error> last;
    try {
      const auto lease = context_.acquireForRuns(pause.call());
      if (sendRunBatch(*lease, exec_id, rows) == static_cast<std::int64_t>(rows.size())) {
        for (const auto& row : rows) settle(row, TransitionOutcome::kApplied, results);
        return;
      }
    } catch (const Exception& e) {
      const auto& error = e.error();
      const bool alone = rows.size() == 1;
      if (refusesContent(error, bytes)) {
        if (!alone) return writeEach();
        return failAll(asRefusal(error));
      }
      // The whole statement was rolled back: nothing was written. A single row as well comes back: here it would hold
      // up the node's other writes, its owner has a lane for it.
      if (shouldBeSentAlone(error)) return failAll(error);
      if (!isWorthAnotherTry(error)) return failAll(error);
      last = error;
    }
    try {
      concludeBatch(pause.call(), exec_id, rows, results);
    } catch (const Exception& e) {
      if (!isWorthAnotherTry(e.error())) return failAll(e.error());
      last = e.error();
    }
    if (rows.empty()) return;
    try {
      pause.wait(last);
    } catch (const Exception& e) {
      return failAll(e.error());
    }
    if (rows.size() > 1 && bytes > kSuspectBytes && last && last->reaction() == Reaction::kReconnect)
      return writeEach();
  }
}

void MySqlTaskTable::concludeBatch(
    const Call& call, const ExecId& exec_id, std::vector<RunBatchRow>& rows, std::vector<RunWriteResult>& results
) {
  const auto judge = [&](RunBatchRow& row, const RowState& now) {
    if (row.start != nullptr) return judgeStart(exec_id, row.token, row.start->as_read, now);
    return judgeEnd(exec_id, row.id, SubtaskState::kSucceed, now, row.token);
  };
  const auto lease = context_.acquire(call);
  std::vector<std::pair<SubtaskId, RowState>> found;
  {
    const auto count = std::bit_ceil(rows.size());
    sqlclient::Values ids;
    for (std::size_t i = 0; i < count; ++i) ids.emplace_back(rows[std::min(i, rows.size() - 1)].id.value());
    auto result = lease->queryDynamic("rows of runs", sql::runRowsText(count), ids);
    while (result.next()) found.emplace_back(SubtaskId(result.getInt(7)), readRowState(result));
  }
  std::erase_if(rows, [&](RunBatchRow& row) {
    const auto at = std::find_if(found.begin(), found.end(), [&](const auto& each) { return each.first == row.id; });
    auto outcome = TransitionOutcome::kLost;
    if (at != found.end()) {
      const auto verdict = judge(row, at->second);
      if (verdict == Verdict::kSendAgain) return false;
      if (verdict == Verdict::kApplied) outcome = TransitionOutcome::kApplied;
    } else if (const auto past = queryRowState(*lease, sql::kHistoryRowById, row.id)) {
      if (judge(row, *past) == Verdict::kApplied) outcome = TransitionOutcome::kApplied;
    } else {
      outcome = TransitionOutcome::kMissing;
    }
    settle(row, outcome, results);
    return true;
  });
}

}  // namespace disttask::storage::mysql
