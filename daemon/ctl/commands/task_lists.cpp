#include "commands.hpp"

#include "../../exit_codes.hpp"
#include "../output/table.hpp"
#include "../output/text.hpp"
#include <fmt/format.h>

#include <ostream>

namespace disttask::ctl {
namespace {

std::string stepText(proto::Step step) {
  if (step == proto::kStepInit) return "init";
  if (step == proto::kStepDone) return "done";
  return std::to_string(step.value());
}

/// Errors may be long; a list shows where one begins.
std::string firstLine(const std::string& text) {
  auto line = text.substr(0, text.find('\n'));
  if (line.size() > 100) line = line.substr(0, 97) + "...";
  return line;
}

std::string spanText(std::int64_t start, std::int64_t end) {
  return start == 0 || end < start ? "" : formatSpan(std::chrono::seconds(end - start));
}

}  // namespace

int execute(Context& context, const TaskLs& options) {
  storage::TaskFilter filter;
  filter.states = options.states;
  filter.type = options.type;
  filter.with_history = options.all;
  filter.limit = options.limit;
  const auto tasks = context.store().clientTable().listTasks(context.call(), filter);
  if (context.isJson()) {
    Json::Array list;
    for (const auto& task : tasks) {
      list.push_back(Json::Object{
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
      });
    }
    context.printJson(list);
    return app::kExitClean;
  }
  Table table({{"ID", Align::kRight}, {"KEY"}, {"TYPE"}, {"STATE"}, {"STEP"}, {"CREATED"}, {"TOOK"}, {"ERROR"}});
  for (const auto& task : tasks) {
    table.add(
        {std::to_string(task.id.value()),
         task.key,
         task.type,
         std::string(proto::toString(task.state)),
         stepText(task.step),
         formatTime(task.create_time),
         spanText(task.start_time, task.end_time),
         firstLine(task.error)}
    );
  }
  table.print(context.out());
  if (static_cast<std::int32_t>(tasks.size()) == options.limit)
    context.err() << "only the first " << options.limit << "; more with --limit\n";
  return app::kExitClean;
}

int execute(Context& context, const TaskSubtasks& options) {
  const auto task = context.findTask(options.name);
  const auto step = options.step ? std::optional(proto::Step(*options.step)) : std::nullopt;
  const auto subtasks = context.store().clientTable().listSubtasks(context.call(), task.id, step, options.limit);
  if (context.isJson()) {
    Json::Array list;
    for (const auto& subtask : subtasks) {
      const auto summary = proto::parseSummary(subtask.summary);
      list.push_back(Json::Object{
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
      });
    }
    context.printJson(list);
    return app::kExitClean;
  }
  Table table(
      {{"STEP", Align::kRight},
       {"ORDINAL", Align::kRight},
       {"ID", Align::kRight},
       {"NODE"},
       {"STATE"},
       {"ROWS", Align::kRight},
       {"STARTED"},
       {"TOOK"},
       {"ERROR"}}
  );
  for (const auto& subtask : subtasks) {
    table.add(
        {std::to_string(subtask.step.value()),
         std::to_string(subtask.ordinal),
         std::to_string(subtask.id.value()),
         subtask.exec_id,
         std::string(proto::toString(subtask.state)),
         formatCount(proto::parseSummary(subtask.summary).row_count),
         formatTime(subtask.start_time),
         spanText(subtask.start_time, subtask.end_time),
         firstLine(subtask.error)}
    );
  }
  table.print(context.out());
  if (static_cast<std::int32_t>(subtasks.size()) == options.limit)
    context.err() << "only the first " << options.limit << "; more with --limit\n";
  return app::kExitClean;
}

}  // namespace disttask::ctl
