#include "planning.hpp"

#include "archive.hpp"
#include "assigned_columns.hpp"
#include "batch_session.hpp"
#include "disttask/plugin_common/json_fields.hpp"
#include "segment_meta.hpp"
#include "statement_plan.hpp"
#include "table_checks.hpp"
#include "throttle.hpp"

#include <chrono>
#include <utility>
#include <vector>

namespace disttask::sql_batch {
namespace {

// Nodes begin with the first subtasks while the rest is still being cut; and a transaction of the store is not long.
constexpr auto kBatchTime = std::chrono::seconds(2);
constexpr std::size_t kMaxMarks = 64;

Json rangeJson(const KeyRange& range) {
  Json json;
  json["after"] = toJson(range.after);
  json["upto"] = toJson(range.upto);
  return json;
}

KeyRange rangeAt(const Json& json) {
  return {keyValuesAt(json, "after"), keyValuesAt(json, "upto")};
}

/// Where planning has got to.
struct PlanCursor {
  Place place;
  KeyValues after;
  std::int64_t segments = 0;
  std::int64_t rows = 0;
  std::vector<KeyRange> marks;  ///< of a dry run: ranges spread over what was walked
  std::int64_t stride = 1;      ///< segments between two marks
  KeyRange latest;              ///< of a dry run: what was walked last

  [[nodiscard]] std::string dump() const {
    Json json;
    putPlace(json, place);
    json["after"] = toJson(after);
    json["segments"] = segments;
    json["rows"] = rows;
    json["stride"] = stride;
    json["marks"] = Json(Json::Array{});
    for (const KeyRange& mark : marks) json["marks"].push(rangeJson(mark));
    json["latest"] = rangeJson(latest);
    return json.dump();
  }

  /// `place` is where a plan without a cursor begins, and that of cursors of older versions.
  [[nodiscard]] static PlanCursor parse(std::string_view text, const Place& place) {
    const std::string what = "cursor";
    PlanCursor cursor;
    cursor.place = place;
    if (text.empty()) return cursor;
    const Json json = plugin_common::parseObject(text, what);
    cursor.place = placeAt(json, place);
    cursor.after = keyValuesAt(json, "after");
    cursor.segments = plugin_common::memberAt(json, "segments", what).asInt();
    cursor.rows = plugin_common::memberAt(json, "rows", what).asInt();
    cursor.stride = plugin_common::memberAt(json, "stride", what).asInt();
    for (const Json& item : plugin_common::memberAt(json, "marks", what).asArray()) {
      cursor.marks.push_back(rangeAt(item));
    }
    cursor.latest = rangeAt(plugin_common::memberAt(json, "latest", what));
    return cursor;
  }

  void mark(const KeyRange& range) {
    latest = range;
    if (segments % stride != 0) return;
    marks.push_back(range);
    if (marks.size() <= kMaxMarks) return;
    std::vector<KeyRange> kept;
    for (std::size_t i = 0; i < marks.size(); i += 2) kept.push_back(std::move(marks[i]));
    marks = std::move(kept);
    stride *= 2;
  }
};

constexpr sqlclient::Sql kIgnoresCase{"sql_batch.ignores_case", "select @@lower_case_table_names <> 0"};

void refuseOwnTarget(sqlclient::Connection& connection, const BatchWork& work, const BatchStatement& statement) {
  if (statement.target == work.table || !mayBeSame(statement.target, work.table)) return;
  auto rows = connection.query(kIgnoresCase, {});
  if (!rows.next() || rows.getInt(1) == 0) return;
  plugin_common::fail(
      "statement: inserts into " + statement.target.toString() + ", which may be " + work.table.toString() +
      " that it reads (this server ignores the case of table names); expected another table"
  );
}

void forgetOlder(const sdk::Host& host, const BatchSession& session, std::int64_t days) {
  try {
    session.ledger().forgetOlder(session.connection(), days);
  } catch (const Exception& exception) {
    host.log(sdk::LogLevel::kWarn, "old ledger rows stay: " + exception.error().message());
  }
}

/// The first range of the table.
KeyRange firstRange(sqlclient::Connection& connection, const TaskNote& note) {
  KeyRange range{{}, note.last};
  if (auto end = nthKey(connection, note.key, range, note.work.subtask_rows)) range.upto = *std::move(end);
  return range;
}

Json rangeReport(
    sqlclient::Connection& connection, const TaskNote& note, const BatchStatement& statement, const KeyRange& range
) {
  const std::string text = statement.render(rangeCondition(note.key, range, statement.alias));
  const StatementPlan plan = explainStatement(connection, text, statement.called);
  Json json;
  json["after"] = range.after.empty() ? Json() : Json(display(note.key, range.after));
  json["upto"] = display(note.key, range.upto);
  json["statement"] = text;
  json["read_by"] = plan.reader;
  json["rows_estimated"] = plan.rows;
  json["explain"] = Json(plan.lines);
  return json;
}

std::string dryRunReport(sqlclient::Connection& connection, const TaskNote& note, const PlanCursor& at) {
  const BatchStatement statement = parseStatement(note.work.statement, note.work.table);
  Json json;
  json["dry_run"] = true;
  json["key"] = note.key.toJson();
  json["rows"] = at.rows;
  json["subtasks"] = at.segments;
  json["ranges"] = Json(Json::Array{});
  if (at.marks.empty()) return json.dump();
  json["maximum"] = display(note.key, note.last);
  json["ranges"].push(rangeReport(connection, note, statement, at.marks.front()));
  const std::size_t middle = at.marks.size() / 2;
  if (middle != 0 && middle + 1 < at.marks.size()) {
    json["ranges"].push(rangeReport(connection, note, statement, at.marks[middle]));
  }
  if (at.segments > 1) json["ranges"].push(rangeReport(connection, note, statement, at.latest));
  return json.dump();
}

class Planner {
 public:
  Planner(
      sdk::Planning& planning,
      const sdk::Task& task,
      const BatchOptions& options,
      const PluginConfig& config,
      plugin_common::Sessions& sessions,
      std::string_view cursor
  )
      : planning_(planning),
        task_(task.id),
        is_trial_(task.id == 0),
        options_(options),
        config_(config),
        sessions_(sessions),
        is_first_(cursor.empty()),
        at_(PlanCursor::parse(cursor, placeOf(options.work))),
        session_(planning, sessions, at_.place) {}

  sdk::Cursor plan() {
    PlanCursor& at = at_;
    TaskNote note = is_first_ || is_trial_ ? begin() : session_.note(task_);
    const bool complete = note.last.empty() || walk(note, at);
    if (is_first_) checkMiddle(note);
    if (!complete) return {at.dump(), false};
    if (note.work.dry_run) {
      planning_.addSubtask(dryRunReport(session_.connection(), note, at));
    }
    if (is_trial_) return {at.dump(), true};
    note.segments = at.segments;
    note.rows = at.rows;
    session_.ledger().putNote(session_.connection(), task_, note.dump());
    return {at.dump(), true};
  }

 private:
  TaskNote begin() {
    auto& connection = session_.connection();
    const BatchWork& work = options_.work;
    const BatchStatement statement = parseStatement(work.statement, work.table);
    if (statement.target != work.table) session_.info().requireSchema(statement.target.schema, "statement");
    refuseOwnTarget(connection, work, statement);
    refuseLedger(session_.info(), work, statement);
    checkTables(connection, work, statement);
    TaskNote note;
    note.work = work;
    note.key = describeKey(connection, work.table, work.key);
    checkOwnKey(connection, note.key, statement);
    checkArchive(planning_, sessions_, config_, note, session_);
    Throttle::requireReplicas(planning_, sessions_, options_.throttle);
    Throttle::requireVariables(connection, options_.throttle);
    if (!is_trial_) forgetOlder(planning_, session_, config_.ledger_days);
    // A batch that is planned again goes by what the first one saw: work may have begun.
    if (const auto before = session_.ledger().readNote(connection, task_)) return TaskNote::parse(*before);
    note.last = lastKey(connection, note.key).value_or(KeyValues());
    if (!note.last.empty()) checkPlan(note, statement, firstRange(connection, note));
    if (!is_trial_) session_.ledger().putNote(connection, task_, note.dump());
    return note;
  }

  void checkPlan(const TaskNote& note, const BatchStatement& statement, KeyRange range) {
    auto& connection = session_.connection();
    const auto explain = [&] {
      return explainStatement(
          connection, statement.render(rangeCondition(note.key, range, statement.alias)), statement.called
      );
    };
    const StatementPlan segment = explain();
    if (note.work.allow_full_scan) return;
    requireBounded(segment, note.work.subtask_rows, note.key.index);
    // For a whole subtask it may be cheaper to read another table once than to look up its rows: so a chunk decides.
    if (auto end = nthKey(connection, note.key, range, options_.throttle.chunk_rows)) range.upto = *std::move(end);
    requireOthersBounded(explain(), note.work.subtask_rows);
  }

  // The first range has one bound only, and may be empty for the rest of the condition. Nothing of this batch has
  // begun.
  void checkMiddle(const TaskNote& note) {
    if (walked_.size() < 2) return;
    checkPlan(note, parseStatement(note.work.statement, note.work.table), walked_[walked_.size() / 2]);
  }

  /// Cuts ranges until the batch is full; true: the planned maximum is reached.
  bool walk(const TaskNote& note, PlanCursor& at) {
    auto& connection = session_.connection();
    const auto end = std::chrono::steady_clock::now() + kBatchTime;
    while (at.after != note.last) {
      planning_.throwIfCancelled();
      if (std::chrono::steady_clock::now() >= end) return false;
      SegmentMeta meta{at.place, {at.after, note.last}, note.work.subtask_rows};
      if (auto upto = nthKey(connection, note.key, meta.range, note.work.subtask_rows); upto && *upto != note.last) {
        meta.range.upto = *std::move(upto);
      } else {
        meta.rows = countRows(connection, note.key, meta.range);
      }
      if (note.work.dry_run) {
        at.mark(meta.range);
      } else {
        const std::string text = meta.dump();
        if (!planning_.hasRoom(text.size())) return false;
        planning_.addSubtask(text);
      }
      walked_.push_back(meta.range);
      ++at.segments;
      at.rows += meta.rows;
      at.after = meta.range.upto;
    }
    return true;
  }

  sdk::Planning& planning_;
  const std::int64_t task_;
  const bool is_trial_;  // a dry run plans for a task that does not exist, and leaves nothing behind
  const BatchOptions& options_;
  const PluginConfig& config_;
  plugin_common::Sessions& sessions_;
  const bool is_first_;  // batch of the step
  PlanCursor at_;
  BatchSession session_;
  std::vector<KeyRange> walked_;  // in this batch
};

}  // namespace

sdk::Cursor planBatch(
    sdk::Planning& planning,
    const sdk::Task& task,
    const BatchOptions& options,
    const PluginConfig& config,
    plugin_common::Sessions& sessions,
    std::string_view cursor
) {
  return Planner(planning, task, options, config, sessions, cursor).plan();
}

}  // namespace disttask::sql_batch
