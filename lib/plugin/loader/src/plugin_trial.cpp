#include "disttask/plugin/plugin_trial.hpp"

#include "child_report.hpp"
#include "disttask/base/json.hpp"

namespace disttask::plugin {
namespace {

/// Planning of a first step, of a task that does not exist: no step has results.
class TrialPlanning final : public PlanContext {
 public:
  explicit TrialPlanning(std::int32_t num_nodes) : num_nodes_(num_nodes) {}
  [[nodiscard]] const runtime::CancelToken& token() const noexcept override { return token_; }
  void readResults(proto::Step, std::int32_t, const std::function<bool(std::int32_t, const std::string&)>&) override {}
  [[nodiscard]] std::int32_t numNodes() const noexcept override { return num_nodes_; }

 private:
  const std::int32_t num_nodes_;
  const runtime::CancelToken token_;
};

void planFirstStep(TaskType& type, const proto::Task& task, std::int32_t num_nodes, Json& report) {
  TrialPlanning planning(num_nodes);
  const auto step = type.nextStep(planning.token(), task, proto::kStepInit);
  if (step == proto::kStepDone) return;
  report["step"] = std::int64_t{step.value()};
  std::int64_t subtasks = 0;
  std::string cursor;
  bool is_whole = false;
  while (!is_whole && subtasks < kMaxTrialSubtasks) {
    const auto batch = type.plan(planning, task, step, cursor, {});
    subtasks += static_cast<std::int64_t>(batch.metas.size());
    is_whole = batch.complete;
    if (!is_whole && batch.next_cursor == cursor)
      throw Exception(ErrorCode::kPluginFailed, "its plan does not move on from cursor '" + cursor + "'");
    cursor = batch.next_cursor;
  }
  report["subtasks"] = subtasks;
  report["is_whole"] = is_whole;
}

Json findOut(
    PluginLoaderSettings settings,
    const proto::Task& task,
    std::optional<std::int32_t> num_nodes,
    ConnectionSource& connections,
    const std::function<void(const std::string&)>& tell
) {
  TaskTypes types;
  settings.on_step = tell;
  PluginLoader loader(std::move(settings), types, connections, runtime::systemClock());
  const auto refused = loader.loadAll();
  Json report;
  const auto type = types.find(task.type);
  if (!type) {
    report["problem"] = "no plugin here offers type '" + task.type + "'" +
                        (refused.empty() ? "" : "; one was refused: " + refused.front().message());
    return report;
  }
  report["origin"] = type->origin();
  tell("validating the meta");
  try {
    type->validate(task.meta);
  } catch (const Exception& e) {
    // Only an argument that is wrong is the meta's fault.
    report[e.error().code() == ErrorCode::kInvalidArgument ? "refusal" : "problem"] = e.error().message();
    return report;
  }
  if (!num_nodes) return report;
  tell("planning the first step");
  try {
    planFirstStep(*type, task, *num_nodes, report);
  } catch (const std::exception&) {
    report["plan_problem"] = currentError().message();
  }
  return report;
}

std::string textOf(const Json& report, std::string_view key) {
  const auto* const member = report.find(key);
  return member != nullptr && member->isString() ? member->asString() : std::string();
}

}  // namespace

PluginTrial tryTask(
    const PluginLoaderSettings& settings,
    const proto::Task& task,
    std::optional<std::int32_t> num_nodes,
    ConnectionSource& connections,
    runtime::Duration limit
) {
  const auto child =
      runInChild([&](const auto& tell) { return findOut(settings, task, num_nodes, connections, tell); }, limit);
  PluginTrial trial;
  if (!child.ended.empty()) {
    trial.problem = "a plugin " + child.ended;
    return trial;
  }
  const auto& report = child.report;
  trial.problem = textOf(report, "problem");
  trial.origin = textOf(report, "origin");
  trial.refusal = textOf(report, "refusal");
  trial.plan_problem = textOf(report, "plan_problem");
  if (const auto* step = report.find("step")) trial.step = static_cast<std::int32_t>(step->asInt());
  if (const auto* subtasks = report.find("subtasks")) trial.subtasks = subtasks->asInt();
  if (const auto* whole = report.find("is_whole")) trial.is_whole = whole->asBool();
  return trial;
}

}  // namespace disttask::plugin
