#include "achieved.hpp"
#include "commands.hpp"
#include "disttask/reasons/reasons.hpp"

#include "../../exit_codes.hpp"
#include "../args/task.hpp"
#include "../output/table.hpp"
#include "../output/text.hpp"
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <ostream>

namespace disttask::ctl {
namespace {

// Beyond this a result is a table of its own: task subtasks shows it.
constexpr std::int32_t kMaxResults = 16;
constexpr std::size_t kMaxResultBytes = 4096;
constexpr std::int32_t kMaxSubtasksForNodes = 20'000;

struct TaskView {
  std::vector<StepView> steps;
  Json::Array results;                            ///< of the last step, when the task has succeeded and they are small
  std::map<std::string, std::int64_t> throttled;  ///< what its type holds running subtasks up by → how many
};

/// A live TiDB's own hosts keep nothing of the kind.
std::map<std::string, std::int64_t> findThrottled(Context& context, const proto::Task& task) {
  std::map<std::string, std::int64_t> found;
  if (task.state != proto::TaskState::kRunning || context.isBesideTidb()) return found;
  for (const auto& subtask :
       context.store().reasonTable().getThrottled(context.call(), task.id, task.step, reasons::kMaxLooked)) {
    ++found[subtask.reason];
  }
  return found;
}

TaskView look(Context& context, const proto::Task& task) {
  TaskView view;
  auto& table = context.store().clientTable();
  view.throttled = findThrottled(context, task);
  for (auto& step : table.getProgress(context.call(), task.id)) view.steps.push_back({step, {}, 0});
  for (auto& step : view.steps) {
    const bool last = &step == &view.steps.back();
    if (step.progress.counts.all() > kMaxSubtasksForNodes) continue;
    const auto subtasks = table.listSubtasks(context.call(), task.id, step.progress.step, kMaxSubtasksForNodes);
    std::size_t bytes = 0;
    for (const auto& subtask : subtasks) {
      if (subtask.state != proto::SubtaskState::kPending) ++step.nodes[subtask.exec_id];
      if (subtask.state == proto::SubtaskState::kSucceed)
        step.rows_succeeded += proto::parseSummary(subtask.summary).row_count;
      bytes += subtask.meta.size();
    }
    if (!last || task.state != proto::TaskState::kSucceed || subtasks.size() > kMaxResults || bytes > kMaxResultBytes)
      continue;
    for (const auto& subtask : subtasks) view.results.push_back(parsedOrText(subtask.meta));
  }
  return view;
}

std::string nodesText(const std::map<std::string, std::int64_t>& nodes) {
  std::string text;
  for (const auto& [node, count] : nodes) text += fmt::format("{}{} on {}", text.empty() ? "" : ", ", count, node);
  return text;
}

Json countsJson(const storage::SubtaskCounts& counts) {
  return Json::Object{
      {"pending", counts.pending},
      {"running", counts.running},
      {"succeed", counts.succeed},
      {"failed", counts.failed},
      {"canceled", counts.canceled},
      {"paused", counts.paused}};
}

std::string parallelText(const proto::ExtraParams& extra) {
  if (!extra.parallel_subtasks) return "";
  return *extra.parallel_subtasks == 0 ? "auto" : std::to_string(*extra.parallel_subtasks);
}

/// Writes a result on one line where it is a flat object: `rows 32530, checksum 1f…`.
std::string resultText(const Json& result) {
  if (!result.isObject()) return result.isString() ? result.asString() : result.dump();
  std::string text;
  for (const auto& [key, value] : result.asObject()) {
    const auto shown = value.isString() ? value.asString() : value.isInt() ? formatCount(value.asInt()) : value.dump();
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", key, shown);
  }
  return text;
}

struct StateColumn {
  const char* title;
  std::int64_t (*count)(const storage::SubtaskCounts&);
};
constexpr StateColumn kStateColumns[] = {
    {"PENDING", [](const storage::SubtaskCounts& counts) { return counts.pending; }},
    {"PAUSED", [](const storage::SubtaskCounts& counts) { return counts.paused; }},
    {"RUNNING", [](const storage::SubtaskCounts& counts) { return counts.running; }},
    {"SUCCEED", [](const storage::SubtaskCounts& counts) { return counts.succeed; }},
    {"FAILED", [](const storage::SubtaskCounts& counts) { return counts.failed; }},
    {"CANCELED", [](const storage::SubtaskCounts& counts) { return counts.canceled; }},
};
/// Below this a terminal has no room for columns of zeros.
constexpr std::size_t kWideColumns = 100;

void printSteps(Context& context, const TaskView& view, std::ostream& out) {
  const auto& terminal = context.terminal();
  const bool is_narrow = terminal.columns > 0 && terminal.columns < kWideColumns;
  std::vector<StateColumn> states;
  for (const auto& column : kStateColumns) {
    const bool has_any = std::any_of(view.steps.begin(), view.steps.end(), [&](const auto& step) {
      return column.count(step.progress.counts) > 0;
    });
    if (!is_narrow || has_any) states.push_back(column);
  }
  std::vector<Column> columns{{"STEP", Align::kRight}, {"SUBTASKS", Align::kRight}};
  for (const auto& state : states) columns.push_back({state.title, Align::kRight});
  columns.push_back({"ROWS", Align::kRight});
  columns.push_back({"WHO", Align::kLeft, 0, true});
  Table table(std::move(columns));
  for (const auto& [step, nodes, rows_succeeded] : view.steps) {
    std::vector<Cell> cells{
        std::to_string(step.step.value()), formatCount(step.counts.all()) + (step.plan_complete ? "" : "+")};
    for (const auto& state : states) cells.emplace_back(formatCount(state.count(step.counts)));
    cells.emplace_back(formatCount(step.sum.row_count));
    cells.emplace_back(nodesText(nodes));
    table.add(std::move(cells));
  }
  table.print(out, terminal);
}

}  // namespace

Json parsedOrText(const std::string& text) {
  try {
    return Json::parse(text);
  } catch (const Exception&) {
    return text;
  }
}

void showTask(Context& context, const proto::Task& task, std::ostream& out) {
  const auto view = look(context, task);
  Facts facts;
  facts.add("task", fmt::format("id:{}  {}", task.id.value(), task.key));
  facts.add("type", task.type);
  facts.add("state", stateText(task), styleOfState(proto::toString(task.state)));
  facts.add("scope", task.target_scope);
  facts.add("slots", std::to_string(task.slots));
  facts.add("parallel", parallelText(task.extra));
  facts.add("priority", std::to_string(task.priority));
  if (task.max_nodes > 0) facts.add("max nodes", std::to_string(task.max_nodes));
  facts.add("created", context.timeText(task.create_time));
  facts.add("started", context.timeText(task.start_time));
  facts.add("ended", context.timeText(task.end_time));
  if (task.end_time >= task.start_time && task.start_time > 0)
    facts.add("took", formatSpan(std::chrono::seconds(task.end_time - task.start_time)));
  for (const auto& [reason, subtasks] : view.throttled)
    facts.add("held up", fmt::format("{} by {}", formatNumber(subtasks, "subtask"), printable(reason)));
  facts.add("error", task.error);
  facts.add("done", achievedText(task, view.steps));
  for (const auto& result : view.results) facts.add("result", resultText(result));
  facts.print(out, context.terminal());
  if (view.steps.empty()) return;
  out << '\n';
  printSteps(context, view, out);
}

namespace {

Json describeTask(Context& context, const proto::Task& task) {
  const auto view = look(context, task);
  Json::Array steps;
  for (const auto& [step, nodes, rows_succeeded] : view.steps) {
    Json::Object who;
    for (const auto& [node, count] : nodes) who.emplace(node, count);
    steps.push_back(Json::Object{
        {"step", std::int64_t{step.step.value()}},
        {"plan_complete", step.plan_complete},
        {"subtasks", countsJson(step.counts)},
        {"rows", step.sum.row_count},
        {"rows_succeeded", rows_succeeded},
        {"bytes", step.sum.bytes},
        {"nodes", std::move(who)},
    });
  }
  Json::Array throttled;
  for (const auto& [reason, subtasks] : view.throttled)
    throttled.emplace_back(Json::Object{{"reason", reason}, {"subtasks", subtasks}});
  return Json::Object{
      {"id", task.id.value()},
      {"key", task.key},
      {"type", task.type},
      {"state", proto::toString(task.state)},
      {"outcome", outcomeOf(task)},
      {"cancelled", wasCancelled(task)},
      {"step", std::int64_t{task.step.value()}},
      {"scope", task.target_scope},
      {"slots", std::int64_t{task.slots}},
      {"priority", std::int64_t{task.priority}},
      {"max_nodes", std::int64_t{task.max_nodes}},
      {"parallel", task.extra.parallel_subtasks ? Json(std::int64_t{*task.extra.parallel_subtasks}) : Json()},
      {"created", formatIsoTime(task.create_time)},
      {"started", formatIsoTime(task.start_time)},
      {"ended", formatIsoTime(task.end_time)},
      {"meta", parsedOrText(task.meta)},
      {"error", task.error},
      {"steps", std::move(steps)},
      {"results", view.results},
      {"throttled", std::move(throttled)},
  };
}

}  // namespace

void printTask(Context& context, const proto::Task& task) {
  switch (context.output()) {
    case Output::kTable:
      showTask(context, task, context.out());
      break;
    case Output::kJson:
    case Output::kJsonl:
      context.printJson(describeTask(context, task));
      break;
    case Output::kName:
      context.out() << printable(task.key) << '\n';
      break;
  }
}

int execute(Context& context, const TaskShow& options) {
  printTask(context, context.findTask(options.name));
  return app::kExitClean;
}

}  // namespace disttask::ctl
