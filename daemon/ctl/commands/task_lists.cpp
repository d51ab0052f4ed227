#include "commands.hpp"

#include "../../exit_codes.hpp"
#include "../args/task.hpp"
#include "../output/listing.hpp"
#include "../output/text.hpp"
#include <fmt/format.h>

#include <algorithm>
#include <ostream>

namespace disttask::ctl {
namespace {

std::string stepText(proto::Step step) {
  if (step == proto::kStepInit) return "init";
  if (step == proto::kStepDone) return "done";
  return std::to_string(step.value());
}

/// The unfinished ones among the states, or all of these where none was named.
std::vector<proto::TaskState> activeOf(const std::vector<proto::TaskState>& states) {
  std::vector<proto::TaskState> active;
  for (int i = 0; i < proto::kNumTaskStates; ++i) {
    const auto state = static_cast<proto::TaskState>(i);
    const bool is_wanted = states.empty() || std::find(states.begin(), states.end(), state) != states.end();
    if (is_wanted && !proto::isDone(state)) active.push_back(state);
  }
  if (active.empty())
    throw Exception(ErrorCode::kInvalidArgument, "--active with --state of ended tasks: nothing fits");
  return active;
}

std::string spanText(std::int64_t start, std::int64_t end) {
  return start == 0 || end < start ? "" : formatSpan(std::chrono::seconds(end - start));
}

}  // namespace

int execute(Context& context, const TaskLs& options) {
  storage::TaskFilter filter;
  filter.states = options.active ? activeOf(options.states) : options.states;
  filter.type = options.type;
  filter.with_history = options.all;
  filter.limit = options.limit;
  const auto tasks = context.store().clientTable().listTasks(context.call(), filter);
  std::vector<Item> items;
  items.reserve(tasks.size());
  for (const auto& task : tasks) {
    items.push_back(
        {task.key,
         Json::Object{
             {"id", task.id.value()},
             {"key", task.key},
             {"type", task.type},
             {"state", proto::toString(task.state)},
             {"step", std::int64_t{task.step.value()}},
             {"priority", std::int64_t{task.priority}},
             {"scope", task.target_scope},
             {"created", formatIsoTime(task.create_time)},
             {"ended", formatIsoTime(task.end_time)},
             {"error", task.error},
             {"outcome", outcomeOf(task)},
         },
         {std::to_string(task.id.value()),
          task.key,
          task.type,
          Cell(stateText(task), styleOfState(proto::toString(task.state))),
          stepText(task.step),
          context.timeText(task.create_time),
          spanText(task.start_time, task.end_time),
          firstLine(task.error)}}
    );
  }
  printList(
      context,
      {{"ID", Align::kRight},
       {"KEY", Align::kLeft, 1},
       {"TYPE", Align::kLeft, 4},
       {"STATE"},
       {"STEP"},
       {"CREATED", Align::kLeft, 2},
       {"TOOK"},
       {"ERROR", Align::kLeft, 3}},
      items
  );
  if (static_cast<std::int32_t>(tasks.size()) == options.limit)
    context.err() << "only the first " << options.limit << "; more with --limit\n";
  return app::kExitClean;
}

int execute(Context& context, const TaskSubtasks& options) {
  const auto task = context.findTask(options.name);
  const auto step = options.step ? std::optional(proto::Step(*options.step)) : std::nullopt;
  const auto subtasks = context.store().clientTable().listSubtasks(context.call(), task.id, step, options.limit);
  std::vector<Item> items;
  for (const auto& subtask : subtasks) {
    const auto summary = proto::parseSummary(subtask.summary);
    items.push_back(
        {fmt::format("id:{}", subtask.id.value()),
         Json::Object{
             {"id", subtask.id.value()},
             {"step", std::int64_t{subtask.step.value()}},
             {"ordinal", std::int64_t{subtask.ordinal}},
             {"node", subtask.exec_id},
             {"state", proto::toString(subtask.state)},
             {"rows", summary.row_count},
             {"bytes", summary.bytes},
             {"started", formatIsoTime(subtask.start_time)},
             {"ended", formatIsoTime(subtask.end_time)},
             {"error", subtask.error},
         },
         {std::to_string(subtask.step.value()),
          std::to_string(subtask.ordinal),
          std::to_string(subtask.id.value()),
          subtask.exec_id,
          stateCell(proto::toString(subtask.state)),
          formatCount(summary.row_count),
          context.timeText(subtask.start_time),
          spanText(subtask.start_time, subtask.end_time),
          firstLine(subtask.error)}}
    );
  }
  printList(
      context,
      {{"STEP", Align::kRight},
       {"ORDINAL", Align::kRight},
       {"ID", Align::kRight},
       {"NODE", Align::kLeft, 1},
       {"STATE"},
       {"ROWS", Align::kRight},
       {"STARTED", Align::kLeft, 3},
       {"TOOK"},
       {"ERROR", Align::kLeft, 2}},
      items
  );
  if (static_cast<std::int32_t>(subtasks.size()) == options.limit)
    context.err() << "only the first " << options.limit << "; more with --limit\n";
  return app::kExitClean;
}

}  // namespace disttask::ctl
