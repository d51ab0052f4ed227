#include "commands.hpp"
#include "disttask/base/error.hpp"

#include "../../exit_codes.hpp"
#include "../output/table.hpp"
#include "../output/text.hpp"
#include <fmt/format.h>

#include <ostream>
#include <vector>

namespace disttask::ctl {
namespace {

/// What an event did, for people: "running -> paused", "12 subtasks -> pending".
std::string changeText(const storage::EventRecord& event) {
  auto text = event.from.empty() ? "" : event.from + " ";
  if (!event.to.empty()) text += "-> " + event.to;
  if (event.subtask_id != 0) return fmt::format("subtask id:{} {}", event.subtask_id, text);
  if (event.count != 0) return fmt::format("{} subtasks {}", formatCount(event.count), text);
  return text;
}

/// Reasons may be long; a list shows where one begins.
std::string firstLine(const std::string& text) {
  auto line = text.substr(0, text.find('\n'));
  if (line.size() > 100) line = line.substr(0, 97) + "...";
  return line;
}

Json toJson(const storage::EventRecord& event) {
  return Json::Object{
      {"seq", event.seq},
      {"at", formatIsoTime(event.at_ms / 1000)},
      {"at_ms", event.at_ms},
      {"event", event.event},
      {"from", event.from},
      {"to", event.to},
      {"subtask", event.subtask_id},
      {"subtasks", event.count},
      {"by", event.actor_kind},
      {"actor", event.actor},
      {"reason", event.reason},
  };
}

int show(Context& context, const std::vector<storage::EventRecord>& events) {
  if (context.isJson()) {
    Json::Array list;
    for (const auto& event : events) list.push_back(toJson(event));
    context.printJson(list);
    return app::kExitClean;
  }
  Table table({{"#", Align::kRight}, {"AT"}, {"EVENT"}, {"CHANGE"}, {"BY"}, {"WHO"}, {"WHY"}});
  for (const auto& event : events) {
    table.add(
        {std::to_string(event.seq),
         formatTime(event.at_ms / 1000),
         event.event,
         changeText(event),
         event.actor_kind,
         event.actor,
         firstLine(event.reason)}
    );
  }
  table.print(context.out());
  if (!events.empty() && events.front().seq > 1) {
    context.err() << fmt::format("{} earlier events are not shown\n", events.front().seq - 1);
  }
  return app::kExitClean;
}

}  // namespace

int execute(Context& context, const TaskEvents& options) {
  const auto task = context.findTask(options.name);
  return show(context, context.store().clientTable().listEvents(context.call(), task.id, options.limit));
}

int execute(Context& context, const NodeEvents& options) {
  const auto events = context.store().clientTable().listNodeEvents(context.call(), options.node, options.limit);
  if (events.empty()) {
    throw Exception(ErrorCode::kNotFound, "nothing is known of a node '" + options.node + "'; see disttaskctl node ls");
  }
  return show(context, events);
}

int execute(Context& context, const TaskResolve& options) {
  const auto id = context.findTask(options.name).id;
  const auto subtasks = context.store().clientTable().resolveTask(context.call(), id, options.resolution);
  context.nudgeOwner();
  switch (options.resolution) {
    case storage::Resolution::kRetry:
      context.err() << fmt::format("task id:{} goes on: {} subtasks run again\n", id.value(), subtasks);
      break;
    case storage::Resolution::kSkip:
      context.err() << fmt::format("task id:{} goes on: {} subtasks were skipped\n", id.value(), subtasks);
      break;
    case storage::Resolution::kFail:
      context.err() << fmt::format("task id:{} is being reverted\n", id.value());
      break;
  }
  if (context.isJson()) context.printJson(Json::Object{{"id", id.value()}, {"subtasks", subtasks}});
  return app::kExitClean;
}

}  // namespace disttask::ctl
