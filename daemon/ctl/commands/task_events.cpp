#include "commands.hpp"
#include "disttask/base/error.hpp"

#include "../../exit_codes.hpp"
#include "../args/node.hpp"
#include "../args/task.hpp"
#include "../output/listing.hpp"
#include "../output/text.hpp"
#include <fmt/format.h>

#include <vector>

namespace disttask::ctl {
namespace {

/// What an event did, for people: "running -> paused", "12 subtasks -> pending".
std::string changeText(const storage::EventRecord& event) {
  auto text = event.from.empty() ? "" : event.from + " ";
  if (!event.to.empty()) text += "-> " + event.to;
  if (event.subtask_id != 0) return fmt::format("subtask id:{} {}", event.subtask_id, text);
  if (event.count != 0) return formatNumber(event.count, "subtask") + " " + text;
  return text;
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
  std::vector<Item> items;
  items.reserve(events.size());
  for (const auto& event : events) {
    items.push_back(
        {event.event,
         toJson(event),
         {std::to_string(event.seq),
          context.timeText(event.at_ms / 1000),
          event.event,
          changeText(event),
          event.actor_kind,
          event.actor,
          firstLine(event.reason)}}
    );
  }
  printList(
      context,
      {{"#", Align::kRight},
       {"AT"},
       {"EVENT"},
       {"CHANGE", Align::kLeft, 1, false, 30},
       {"BY", Align::kLeft, 4, false, 9},
       {"WHO", Align::kLeft, 3},
       {"WHY", Align::kLeft, 0, true}},
      items
  );
  if (!events.empty() && events.front().seq > 1) {
    context.err() << formatNumber(events.front().seq - 1, "earlier event") << " not shown\n";
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

}  // namespace disttask::ctl
