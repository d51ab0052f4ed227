#include "../args/history.hpp"

#include "commands.hpp"
#include "disttask/base/error.hpp"

#include "../../exit_codes.hpp"
#include "../output/listing.hpp"
#include "../output/text.hpp"
#include <fmt/format.h>

namespace disttask::ctl {
namespace {

/// Rows of one transaction, as the owner has them (design rule 22).
constexpr std::int32_t kBatch = 500;
constexpr std::chrono::minutes kLeastAge{1};

std::string spanOf(const proto::Task& task) {
  if (task.start_time == 0 || task.end_time < task.start_time) return "";
  return formatSpan(std::chrono::seconds(task.end_time - task.start_time));
}

}  // namespace

int execute(Context& context, const HistoryLs& options) {
  storage::TaskFilter filter;
  filter.states = options.states;
  filter.type = options.type;
  filter.limit = options.limit;
  filter.with_history = filter.without_live = true;
  std::vector<Item> items;
  for (const auto& task : context.store().clientTable().listTasks(context.call(), filter)) {
    items.push_back(
        {task.key,
         Json::Object{
             {"id", task.id.value()},
             {"key", task.key},
             {"type", task.type},
             {"state", toString(task.state)},
             {"cancelled", wasCancelled(task)},
             {"created", formatIsoTime(task.create_time)},
             {"started", formatIsoTime(task.start_time)},
             {"ended", formatIsoTime(task.end_time)},
             {"error", task.error},
         },
         {std::to_string(task.id.value()),
          task.key,
          task.type,
          Cell(stateText(task), styleOfState(toString(task.state))),
          context.timeText(task.create_time),
          context.timeText(task.end_time),
          spanOf(task),
          firstLine(task.error)}}
    );
  }
  printList(
      context,
      {{"ID", Align::kRight},
       {"KEY"},
       {"TYPE", Align::kLeft, 1},
       {"STATE"},
       {"CREATED", Align::kLeft, 4},
       {"ENDED", Align::kLeft, 2},
       {"RAN FOR", Align::kLeft, 5},
       {"ERROR", Align::kLeft, 3}},
      items
  );
  return app::kExitClean;
}

int execute(Context& context, const HistoryGc& options) {
  const auto age = options.older_than.value_or(std::chrono::milliseconds(0));
  if (age < kLeastAge) throw Exception(ErrorCode::kInvalidArgument, "--older-than: expected at least 1m");
  if (context.isBesideTidb()) {
    throw Exception(
        ErrorCode::kUnsupported,
        "the history of schema '" + context.schemaName() +
            "' is a live TiDB's, which clears it itself; what is ours is cleared by the daemons"
    );
  }
  const auto span = formatSpan(std::chrono::duration_cast<std::chrono::seconds>(age));
  context.confirm(fmt::format(
      "Delete subtasks and events that have been in history for longer than {}, and log lines as old?", span
  ));
  auto& history = context.store().historyTable();
  std::int64_t subtasks = 0;
  std::int64_t events = 0;
  std::int64_t attempts = 0;
  for (std::int64_t deleted = 1; deleted > 0; subtasks += deleted)
    deleted = history.forgetSubtasks(context.call(), std::nullopt, age, kBatch);
  for (std::int64_t deleted = 1; deleted > 0; attempts += deleted)
    deleted = history.forgetAttempts(context.call(), kBatch);
  for (std::int64_t deleted = 1; deleted > 0; events += deleted)
    deleted = history.forgetEvents(context.call(), std::nullopt, age, kBatch);
  std::int64_t logs = 0;
  for (std::int64_t deleted = 1; deleted > 0; logs += deleted)
    deleted = context.store().runLogTable().forgetLogs(context.call(), std::nullopt, age, kBatch);
  context.err() << fmt::format(
      "{}, {} and the log lines of {} deleted\n",
      formatNumber(subtasks, "subtask"),
      formatNumber(events, "event"),
      formatNumber(logs, "subtask")
  );
  printChange(
      context,
      fmt::format("{}", subtasks),
      Json::Object{{"subtasks", subtasks}, {"events", events}, {"logs", logs}, {"attempts", attempts}}
  );
  return app::kExitClean;
}

}  // namespace disttask::ctl
