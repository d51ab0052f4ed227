#include "disttask/storage/run_log_table.hpp"

#include "disttask/base/json.hpp"
#include "disttask/base/utf8.hpp"
#include "disttask/storage/mysql/schema.hpp"
#include "factories.hpp"
#include "owner_fence.hpp"
#include "store_context.hpp"

#include "statements/run_log.hpp"
#include "statements/schema.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>

namespace disttask::storage::mysql {

namespace {

/// So long the tables are taken to be those of the version before, once they were seen to be.
constexpr std::chrono::seconds kLookAgain{30};

std::int64_t secondsOf(runtime::Duration duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

std::string toJson(const std::vector<RunLogLine>& lines) {
  Json::Array array;
  for (const auto& line : lines) {
    array.emplace_back(Json::Object{
        {"age_ms", std::int64_t{line.age.count()}}, {"level", line.level}, {"text", line.text}});
  }
  return Json(std::move(array)).dump();
}

/// What cannot be read is left out: somebody else's row is no reason not to show the subtask.
std::vector<RunLogLine> readLines(const std::string& text) {
  std::vector<RunLogLine> lines;
  try {
    const auto json = Json::parse(text);
    for (const auto& line : json.asArray()) {
      const auto* age = line.find("age_ms");
      const auto* level = line.find("level");
      const auto* words = line.find("text");
      if (age == nullptr || level == nullptr || words == nullptr) continue;
      lines.push_back({std::chrono::milliseconds(age->asInt()), level->asString(), words->asString()});
    }
  } catch (const Exception& e) {
    if (e.error().code() != ErrorCode::kInvalidArgument) throw;
  }
  return lines;
}

class MySqlRunLogTable final : public RunLogTable {
 public:
  explicit MySqlRunLogTable(StoreContext& context) : context_(context) {}

  void writeLogs(const runtime::Call& call, const proto::ExecId& exec_id, const std::vector<RunLog>& logs) override {
    constexpr std::string_view kName = "run_log.write";
    if (logs.empty()) return;
    if (logs.size() > kMaxRunLogs)
      throw Exception(ErrorCode::kInvalidArgument, "lines of more than " + std::to_string(kMaxRunLogs) + " runs");
    call.check(kName);
    if (!hasTable(call)) {
      throw Exception(
          ErrorCode::kStoreSchema,
          "the schema has no table for lines that plugins log; run `disttaskctl schema install`"
      );
    }
    const auto room = std::bit_ceil(logs.size());
    const auto at = [&](std::size_t i) -> const RunLog& { return logs[std::min(i, logs.size() - 1)]; };
    sqlclient::Values values;
    values.reserve(1 + room * 6);
    values.emplace_back(exec_id);
    for (std::size_t i = 0; i < room; ++i) {
      values.emplace_back(at(i).subtask_id.value());
      values.emplace_back(at(i).num_earlier);
    }
    for (std::size_t i = 0; i < room; ++i) {
      values.emplace_back(at(i).subtask_id.value());
      values.emplace_back(toJson(at(i).lines));
    }
    for (std::size_t i = 0; i < room; ++i) values.emplace_back(at(i).subtask_id.value());
    for (std::size_t i = 0; i < room; ++i) values.emplace_back(at(i).token.value());
    context_.inTransaction(call, kName, [&](Connection& connection) {
      connection.updateDynamic(std::string(kName), sql::writeRunLogsText(room), values);
    });
  }

  std::optional<RunLog> findLog(const runtime::Call& call, proto::SubtaskId id) override {
    call.check("run_log.find");
    if (!hasTable(call)) return std::nullopt;
    return context_.read(call, "run_log.find", [&](Connection& connection) -> std::optional<RunLog> {
      auto rows = connection.query(sql::kRunLog, {id.value()});
      if (!rows.next()) return std::nullopt;
      RunLog log;
      log.subtask_id = id;
      log.token = proto::RunToken(rows.getInt(1));
      log.exec_id = rows.getString(2);
      log.written_ms = rows.getInt(3);
      log.num_earlier = rows.getInt(4);
      log.lines = readLines(rows.getString(5));
      return log;
    });
  }

  std::int64_t forgetLogs(
      const runtime::Call& call, std::optional<proto::Life> owner, runtime::Duration keep, std::int32_t limit
  ) override {
    call.check("run_log.forget");
    if (!hasTable(call)) return 0;
    std::vector<std::int64_t> ids;
    context_.read(call, "run_log.old", [&](Connection& connection) {
      ids.clear();
      auto rows = connection.query(sql::kOldRunLogs, {secondsOf(keep), std::int64_t{limit}});
      while (rows.next()) ids.push_back(rows.getInt(1));
    });
    if (ids.empty()) return 0;
    std::sort(ids.begin(), ids.end());
    const auto room = std::bit_ceil(ids.size());
    sqlclient::Values values{secondsOf(keep)};
    for (std::size_t i = 0; i < room; ++i) values.emplace_back(ids[std::min(i, ids.size() - 1)]);
    return context_.inTransaction(call, "run_log.forget", [&](Connection& connection) {
      if (owner) fenceOwner(connection, *owner);
      return connection.updateDynamic("run_log.forget", sql::forgetRunLogsText(room), values);
    });
  }

 private:
  /// The version before has no such table, and rolling upgrades change programs first.
  bool hasTable(const runtime::Call& call) {
    if (has_table_) return true;
    const auto now = context_.clock().now().time_since_epoch().count();
    if (now < look_again_ns_) return false;
    const bool found = context_.read(call, "run_log.version", [](Connection& connection) {
      auto rows = connection.query(statements::kReadSchemaRow, {});
      return rows.next() && rows.getInt(1) >= Schema::kVersionOfRunLogs;
    });
    if (found) has_table_ = true;
    look_again_ns_ = now + std::chrono::nanoseconds(kLookAgain).count();
    return found;
  }

  StoreContext& context_;
  std::atomic<bool> has_table_{false};
  std::atomic<std::int64_t> look_again_ns_{INT64_MIN};
};

}  // namespace

std::unique_ptr<RunLogTable> makeRunLogTable(StoreContext& context) {
  return std::make_unique<MySqlRunLogTable>(context);
}

}  // namespace disttask::storage::mysql
