#include "disttask/base/error.hpp"
#include "disttask/base/iso_time.hpp"
#include "disttask/reasons/reasons.hpp"

namespace disttask::reasons {

namespace {

Answer answerFor(const proto::Task& task) {
  Answer answer;
  answer.task_id = task.id;
  answer.task_key = task.key;
  answer.task_state = task.state;
  answer.step = task.step;
  return answer;
}

}  // namespace

Answer whyTask(const Sources& sources, const runtime::Call& call, const proto::Task& task) {
  auto answer = answerFor(task);
  answer.reasons = explain(readFacts(sources, call, task));
  return answer;
}

Answer whySubtask(const Sources& sources, const runtime::Call& call, const proto::Task& task, proto::SubtaskId id) {
  auto answer = answerFor(task);
  const auto facts = readSubtaskFacts(sources, call, task, id);
  if (!facts) {
    throw Exception(ErrorCode::kNotFound, "task '" + task.key + "' has no subtask " + std::to_string(id.value()));
  }
  answer.subtask = facts->subtask;
  answer.reasons = explainSubtask(*facts);
  return answer;
}

Json toJson(const Answer& answer) {
  Json::Array reasons;
  for (const auto& reason : answer.reasons) {
    reasons.push_back(Json::Object{
        {"code", toString(reason.code)},
        {"text", reason.text},
        {"subtasks", reason.subtasks},
        {"until", formatIsoTime(reason.until.value_or(0))},
    });
  }
  Json::Object json{
      {"id", answer.task_id.value()},
      {"key", answer.task_key},
      {"state", proto::toString(answer.task_state)},
      {"step", std::int64_t{answer.step.value()}},
      {"reasons", std::move(reasons)},
  };
  if (answer.subtask) {
    const auto& subtask = *answer.subtask;
    json["subtask"] = Json::Object{
        {"id", subtask.tried.id.value()},
        {"step", std::int64_t{subtask.step.value()}},
        {"ordinal", std::int64_t{subtask.tried.ordinal}},
        {"node", subtask.tried.exec_id},
        {"state", proto::toString(subtask.state)},
    };
  }
  return json;
}

}  // namespace disttask::reasons
