#include "trial_rows.hpp"

#include "disttask/base/json.hpp"

#include <fstream>
#include <sstream>

namespace disttask::ctl {
namespace {

using proto::Subtask;
using proto::Task;
using storage::MemoryRows;

constexpr const char* kWrites[] = {
    "startSubtask",
    "finishSubtask",
    "updateSubtaskStateAndError",
    "failSubtask",
    "cancelSubtask",
    "pauseSubtasks",
    "runningSubtasksBack2Pending",
    "updateSubtaskSummary",
    "updateSubtaskCheckpoint",
    "giveBackSubtask",
    "retrySubtaskLater",
    "handBackSubtask",
    "takeOrphans",
    "takeUnmarked"};

/// Text of a plugin may be any bytes, JSON takes UTF-8 only.
std::string toHex(const std::string& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text.push_back(kDigits[byte >> 4U]);
    text.push_back(kDigits[byte & 15U]);
  }
  return text;
}

std::string fromHex(const std::string& text) {
  const auto digit = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<char>(digit(text[i]) << 4U | digit(text[i + 1])));
  return bytes;
}

const Json& member(const Json& json, std::string_view key) {
  const auto* found = json.find(key);
  if (found == nullptr) throw Exception(ErrorCode::kInvalidArgument, "rows of a trial: no " + std::string(key));
  return *found;
}
std::int64_t intOf(const Json& json, std::string_view key) {
  return member(json, key).asInt();
}
std::int32_t int32Of(const Json& json, std::string_view key) {
  return static_cast<std::int32_t>(intOf(json, key));
}
std::string bytesOf(const Json& json, std::string_view key) {
  return fromHex(member(json, key).asString());
}

Json toJson(const Task& task) {
  return Json::Object{
      {"id", task.id.value()},
      {"key", toHex(task.key)},
      {"type", toHex(task.type)},
      {"state", toString(task.state)},
      {"step", std::int64_t{task.step.value()}},
      {"slots", std::int64_t{task.slots}},
      {"extra", proto::toJson(task.extra)},
      {"created", task.create_time},
      {"meta", toHex(task.meta)},
      {"error", toHex(task.error)},
  };
}

Task taskOf(const Json& json) {
  Task task;
  task.id = proto::TaskId(intOf(json, "id"));
  task.key = bytesOf(json, "key");
  task.type = bytesOf(json, "type");
  task.state = proto::parseTaskState(member(json, "state").asString()).value_or(task.state);
  task.step = proto::Step(int32Of(json, "step"));
  task.slots = int32Of(json, "slots");
  task.extra = proto::parseExtraParams(member(json, "extra").asString());
  task.create_time = intOf(json, "created");
  task.meta = bytesOf(json, "meta");
  task.error = bytesOf(json, "error");
  return task;
}

Json toJson(const Subtask& row, const std::string& checkpoint, const storage::MemoryAttempt& attempt) {
  return Json::Object{
      {"id", row.id.value()},
      {"task_id", row.task_id.value()},
      {"step", std::int64_t{row.step.value()}},
      {"ordinal", std::int64_t{row.ordinal}},
      {"type", toHex(row.type)},
      {"exec_id", row.exec_id},
      {"state", toString(row.state)},
      {"slots", std::int64_t{row.slots}},
      {"token", row.token.value()},
      {"created", row.create_time},
      {"started", row.start_time},
      {"changed", row.state_update_time},
      {"ended", row.end_time},
      {"meta", toHex(row.meta)},
      {"error", toHex(row.error)},
      {"summary", toHex(row.summary)},
      {"checkpoint", toHex(checkpoint)},
      {"abnormal_ends", std::int64_t{attempt.abnormal_ends}},
      {"ends_alone", std::int64_t{attempt.ends_alone}},
      {"last_token", attempt.last_token},
      {"retries", std::int64_t{attempt.retries}},
      {"not_before", attempt.not_before_ms},
      {"last_error", toHex(attempt.last_error)},
  };
}

Subtask subtaskOf(const Json& json) {
  Subtask row;
  row.id = proto::SubtaskId(intOf(json, "id"));
  row.task_id = proto::TaskId(intOf(json, "task_id"));
  row.step = proto::Step(int32Of(json, "step"));
  row.ordinal = int32Of(json, "ordinal");
  row.type = bytesOf(json, "type");
  row.exec_id = member(json, "exec_id").asString();
  row.state = proto::parseSubtaskState(member(json, "state").asString()).value_or(row.state);
  row.slots = int32Of(json, "slots");
  row.token = proto::RunToken(intOf(json, "token"));
  row.create_time = intOf(json, "created");
  row.start_time = intOf(json, "started");
  row.state_update_time = intOf(json, "changed");
  row.end_time = intOf(json, "ended");
  row.meta = bytesOf(json, "meta");
  row.error = bytesOf(json, "error");
  row.summary = bytesOf(json, "summary");
  return row;
}

storage::MemoryAttempt attemptOf(const Json& json) {
  storage::MemoryAttempt attempt;
  attempt.abnormal_ends = int32Of(json, "abnormal_ends");
  attempt.ends_alone = int32Of(json, "ends_alone");
  attempt.last_token = intOf(json, "last_token");
  attempt.retries = int32Of(json, "retries");
  attempt.not_before_ms = intOf(json, "not_before");
  attempt.last_error = bytesOf(json, "last_error");
  return attempt;
}

}  // namespace

std::string writeTrialRows(const MemoryRows::Data& data) {
  Json::Array tasks;
  for (const auto& [id, task] : data.tasks) tasks.push_back(toJson(task));
  Json::Array subtasks;
  for (const auto& [id, row] : data.subtasks) {
    const auto checkpoint = data.checkpoints.find(id);
    const auto attempt = data.attempts.find(id);
    subtasks.push_back(toJson(
        row,
        checkpoint == data.checkpoints.end() ? "" : checkpoint->second,
        attempt == data.attempts.end() ? storage::MemoryAttempt{} : attempt->second
    ));
  }
  return Json(Json::Object{{"tasks", std::move(tasks)}, {"subtasks", std::move(subtasks)}}).dump();
}

void readTrialRows(const std::string& text, MemoryRows& rows) {
  const auto json = Json::parse(text);
  for (const auto& task : member(json, "tasks").asArray()) rows.insertTask(taskOf(task));
  for (const auto& entry : member(json, "subtasks").asArray()) {
    const auto id = rows.insertSubtask(subtaskOf(entry));
    const auto attempt = attemptOf(entry);
    rows.change([&](MemoryRows::Data& data) {
      if (auto checkpoint = bytesOf(entry, "checkpoint"); !checkpoint.empty()) data.checkpoints[id] = checkpoint;
      if (attempt.abnormal_ends + attempt.retries > 0) data.attempts[id] = attempt;
    });
  }
}

KeptRows::KeptRows(MemoryRows& rows, std::filesystem::path file) : rows_(rows), file_(std::move(file)) {
  if (std::ifstream in(file_); in) {
    std::ostringstream text;
    text << in.rdbuf();
    readTrialRows(text.str(), rows_);
  }
  for (const auto* method : kWrites) rows_.afterCall(method, [this] { save(); });
}

KeptRows::~KeptRows() {
  for (const auto* method : kWrites) rows_.afterCall(method, {});
}

void KeptRows::save() {
  // One at a time: what is written last must be the newest.
  const std::lock_guard lock(mutex_);
  std::string text;
  rows_.change([&](const MemoryRows::Data& data) { text = writeTrialRows(data); });
  const auto next = file_.string() + ".next";
  {
    std::ofstream out(next, std::ios::trunc);
    out << text;
    if (!out.flush()) throw Exception(ErrorCode::kInternal, next + " cannot be written");
  }
  std::filesystem::rename(next, file_);
}

}  // namespace disttask::ctl
