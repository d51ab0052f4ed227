// Many starts and finishes in one statement, and what is concluded about each of them afterwards.
#include "task_table.hpp"

#include "statements/run_batch.hpp"
#include "statements/task.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

namespace disttask::storage::mysql {

namespace {

constexpr const char* kName = "write of runs";
/// Longer values than the connector sends within the statement (256 KiB) reach a TiDB as bytes, which a cast leaves
/// bytes.
constexpr std::size_t kSentWithin = 128 << 10;
/// A statement of this size may have broken the connection by being larger than the server takes.
constexpr std::size_t kSuspectBytes = 64 << 10;

/// The texts of the merged UPDATE for one kind of server, by room, a power of two, so that a connection prepares only a
/// few.
class MergedTexts {
 public:
  explicit MergedTexts(const std::string& json) {
    for (std::size_t i = 0; i < made_.size(); ++i) {
      made_[i] = {
          sql::mergedRunsText(std::size_t{1} << i, false, json), sql::mergedRunsText(std::size_t{1} << i, true, json)};
    }
  }
  [[nodiscard]] const std::string& get(std::size_t room, bool with_summaries) const {
    return made_.at(static_cast<std::size_t>(std::countr_zero(room))).at(with_summaries ? 1 : 0);
  }

 private:
  std::array<std::array<std::string, 2>, std::bit_width(kMaxRunWrites)> made_;
};

const std::string& mergedText(bool keeps_plan, std::size_t room, bool with_summaries) {
  static const MergedTexts kTexts("convert(? using utf8mb4)");
  // TiDB keeps no plan of a statement with `convert … using`.
  static const MergedTexts kPlanTexts("cast(? as char)");
  return (keeps_plan ? kPlanTexts : kTexts).get(room, with_summaries);
}

}  // namespace

/// One write that has no result yet.
struct MySqlTaskTable::BatchRow {
  std::size_t index = 0;  ///< in the caller's list
  SubtaskId id;
  proto::RunToken token;  ///< of a start: the one that it writes; of a finish: the guard
  const RunStart* start = nullptr;
  const RunFinish* finish = nullptr;
  std::size_t bytes = 0;
};

namespace {

/// The list of ids, ascending, filled up to `count`. Doubles cost a MariaDB nothing; a TiDB keeps plans of lists
/// without doubles only.
template <typename Rows>
void appendIds(sqlclient::Flavour flavour, const Rows& rows, std::size_t count, sqlclient::Values& values) {
  const auto num_more = static_cast<std::int64_t>(count - rows.size());
  const bool distinct = flavour == sqlclient::Flavour::kTiDb;
  for (auto i = distinct ? num_more : 0; i > 0; --i) values.emplace_back(-i);
  for (const auto& row : rows) values.emplace_back(row.id.value());
  for (auto i = distinct ? 0 : num_more; i > 0; --i) values.emplace_back(rows.back().id.value());
}

template <typename Rows>
std::int64_t sendMerged(Connection& connection, const ExecId& exec_id, const Rows& rows) {
  const auto num_finishes = static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), [](const auto& row) {
    return row.finish != nullptr;
  }));
  const bool with_summaries = std::any_of(rows.begin(), rows.end(), [](const auto& row) {
    return row.finish != nullptr && row.finish->summary;
  });
  const auto room = std::bit_ceil(std::max({num_finishes, rows.size() - num_finishes, std::size_t{1}}));
  sqlclient::Values values;
  values.reserve(room * 16);
  // Each list first gets what there is, then up to the room what no row matches: of the same types, since TiDB keeps a
  // plan for those of its first binds.
  const auto fill = [&](std::size_t used, const sqlclient::Values& nobody) {
    for (; used < room; ++used) values.insert(values.end(), nobody.begin(), nobody.end());
  };
  const std::int64_t no_id = -1;
  const std::string no_text = "{}";
  const auto list = [&](bool of_finishes, const sqlclient::Values& nobody, const auto& add) {
    std::size_t used = 0;
    for (const auto& row : rows) {
      if ((row.finish != nullptr) != of_finishes) continue;
      values.emplace_back(row.id.value());
      add(row);
      ++used;
    }
    fill(used, nobody);
  };
  list(true, {no_id, no_text}, [&](const auto& row) { values.emplace_back(row.finish->meta); });
  if (with_summaries) {
    // A finish without one has no branch, so its row keeps what it has.
    std::size_t used = 0;
    for (const auto& row : rows) {
      if (row.finish == nullptr || !row.finish->summary) continue;
      values.emplace_back(row.id.value());
      values.emplace_back(*row.finish->summary);
      ++used;
    }
    fill(used, {no_id, no_text});
  }
  list(false, {no_id, no_id}, [&](const auto& row) { values.emplace_back(row.token.value()); });
  appendIds(connection.flavour(), rows, 2 * room, values);
  values.emplace_back(exec_id);
  list(true, {no_id, no_id}, [&](const auto& row) { values.emplace_back(row.token.value()); });
  list(false, {no_id, no_text, no_id, no_id}, [&](const auto& row) {
    const auto& as_read = row.start->as_read;
    values.emplace_back(proto::taskKeyOf(as_read.task_id));
    values.emplace_back(std::int64_t{as_read.step.value()});
    values.emplace_back(std::int64_t{as_read.ordinal});
  });
  const bool keeps_plan =
      connection.flavour() == sqlclient::Flavour::kTiDb && std::none_of(rows.begin(), rows.end(), [](const auto& row) {
        return row.finish != nullptr && row.finish->summary && row.finish->summary->size() > kSentWithin;
      });
  return updateMany(connection, kName, mergedText(keeps_plan, room, with_summaries), values);
}

}  // namespace

void MySqlTaskTable::settle(const BatchRow& row, TransitionOutcome outcome, std::vector<RunWriteResult>& results) {
  results[row.index].outcome = outcome;
  if (row.finish != nullptr) {
    tokens_.end(row.id);
  } else if (outcome != TransitionOutcome::kApplied) {
    // An earlier try may still land: then the row is found as an orphan that never began.
    tokens_.abandon(row.id, PastRun::kNeverBegun);
  }
}

void MySqlTaskTable::fail(const BatchRow& row, const Error& error, std::vector<RunWriteResult>& results) {
  results[row.index].error = error;
  // The token of a finish stays live: its row is still ours.
  if (row.start != nullptr) tokens_.abandon(row.id, PastRun::kNeverBegun);
}

std::vector<RunWriteResult> MySqlTaskTable::writeRuns(
    const Call& call, const ExecId& exec_id, const std::vector<RunWrite>& writes
) {
  call.check(kName);
  std::vector<RunWriteResult> results(writes.size());
  std::vector<BatchRow> rows;
  rows.reserve(writes.size());
  for (std::size_t i = 0; i < writes.size(); ++i) {
    BatchRow row;
    row.index = i;
    row.bytes = sizeOf(writes[i]);
    if (const auto* finish = std::get_if<RunFinish>(&writes[i])) {
      row.id = finish->id;
      row.finish = finish;
      row.token = tokens_.live(row.id);
      if (row.token == proto::RunToken{}) continue;
    } else {
      const auto& start = std::get<RunStart>(writes[i]);
      const auto begun = tokens_.begin(start.id, start.idempotent);
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
  RetryPause pause(context_, call, kName);
  std::vector<BatchRow> batch;
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
    RetryPause& pause, const ExecId& exec_id, std::vector<BatchRow> rows, std::vector<RunWriteResult>& results
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
      if (sendMerged(*lease, exec_id, rows) == static_cast<std::int64_t>(rows.size())) {
        for (const auto& row : rows) settle(row, TransitionOutcome::kApplied, results);
        return;
      }
    } catch (const Exception& e) {
      const auto& error = e.error();
      const bool alone = rows.size() == 1;
      if (refusesContent(error, bytes)) {
        if (!alone) return writeEach();
        return failContent(pause.call(), exec_id, rows.front(), error, results);
      }
      // The whole statement was rolled back: nothing was written.
      if (!alone && shouldBeSentAlone(error)) return failAll(error);
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

void MySqlTaskTable::failContent(
    const Call& call,
    const ExecId& exec_id,
    const BatchRow& row,
    const Error& error,
    std::vector<RunWriteResult>& results
) {
  if (row.finish == nullptr) return fail(row, error, results);
  try {
    // The row would stay running for ever: what the store refuses now it refuses always.
    results[row.index].outcome = updateSubtaskStateAndError(call, exec_id, row.id, SubtaskState::kFailed, error);
  } catch (const Exception& e) {
    fail(row, e.error(), results);
  }
}

void MySqlTaskTable::concludeBatch(
    const Call& call, const ExecId& exec_id, std::vector<BatchRow>& rows, std::vector<RunWriteResult>& results
) {
  const auto judge = [&](BatchRow& row, const RowState& now) {
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
  std::erase_if(rows, [&](BatchRow& row) {
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
