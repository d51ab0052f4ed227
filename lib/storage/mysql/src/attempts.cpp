#include "attempts.hpp"

#include "disttask/base/json.hpp"

#include "statements/task.hpp"

namespace disttask::storage::mysql {

namespace {

Attempt readRow(sqlclient::Connection& connection, const sqlclient::Sql& query, proto::SubtaskId id) {
  Attempt attempt;
  auto rows = connection.query(query, {id.value()});
  if (!rows.next()) return attempt;
  attempt.abnormal_ends = static_cast<std::int32_t>(rows.getInt(1));
  attempt.ends_alone = static_cast<std::int32_t>(rows.getInt(2));
  attempt.last_token = proto::RunToken(rows.getInt(3));
  attempt.retries = static_cast<std::int32_t>(rows.getInt(4));
  if (!rows.isNull(5)) attempt.handed_back = parseExecIds(rows.getString(5));
  return attempt;
}

}  // namespace

Attempt readAttempt(sqlclient::Connection& connection, proto::SubtaskId id) {
  return readRow(connection, sql::kAttempt, id);
}

Attempt lockAttempt(sqlclient::Connection& connection, proto::SubtaskId id, proto::TaskId task_id) {
  connection.update(sql::kAttemptMake, {id.value(), task_id.value()});
  return readRow(connection, sql::kAttemptForUpdate, id);
}

Attempt countAbnormalEnd(
    sqlclient::Connection& connection, proto::SubtaskId id, proto::TaskId task_id, proto::RunToken token
) {
  auto attempt = lockAttempt(connection, id, task_id);
  // A row without a token was not started by a node of ours; each such end counts.
  if (token != proto::RunToken{} && attempt.last_token == token) return attempt;
  if (attempt.runsAlone()) ++attempt.ends_alone;
  ++attempt.abnormal_ends;
  attempt.last_token = token;
  connection.update(
      sql::kAttemptAbnormalEnd,
      {std::int64_t{attempt.abnormal_ends}, std::int64_t{attempt.ends_alone}, token.value(), id.value()}
  );
  return attempt;
}

std::string endedItsNode(const Attempt& attempt) {
  return "ended its node " + std::to_string(attempt.abnormal_ends) + " times";
}

std::string toJsonArray(const std::vector<proto::ExecId>& exec_ids) {
  Json::Array array;
  for (const auto& exec_id : exec_ids) array.emplace_back(exec_id);
  return Json(std::move(array)).dump();
}

std::vector<proto::ExecId> parseExecIds(const std::string& json) {
  std::vector<proto::ExecId> exec_ids;
  try {
    const auto value = Json::parse(json);
    if (!value.isArray()) return exec_ids;
    for (const auto& item : value.asArray()) {
      if (item.isString()) exec_ids.push_back(item.asString());
    }
  } catch (const Exception&) {
    exec_ids.clear();
  }
  return exec_ids;
}

}  // namespace disttask::storage::mysql
