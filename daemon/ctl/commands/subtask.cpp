#include "../args/subtask.hpp"

#include "commands.hpp"
#include "disttask/proto/row_error.hpp"
#include "disttask/reasons/reasons.hpp"

#include "../../exit_codes.hpp"
#include "../output/listing.hpp"
#include "../output/text.hpp"
#include <fmt/format.h>

#include <algorithm>

namespace disttask::ctl {
namespace {

constexpr std::size_t kMaxShownBytes = 2000;

proto::SubtaskId idOf(const std::string& name) {
  const auto digits = name.rfind("id:", 0) == 0 ? name.substr(3) : name;
  if (digits.empty() || digits.size() > 18 || digits.find_first_not_of("0123456789") != std::string::npos)
    throw Exception(ErrorCode::kInvalidArgument, "'" + name + "' is no id of a subtask, expected such as 42 or id:42");
  return proto::SubtaskId(std::stoll(digits));
}

/// Lines that its runs logged, as far as the store has them and this account may see them.
std::optional<storage::RunLog> findLog(Context& context, proto::SubtaskId id) {
  try {
    return context.store().runLogTable().findLog(context.call(), id);
  } catch (const Exception& e) {
    const auto code = e.error().code();
    if (code != ErrorCode::kStoreNoPrivilege && code != ErrorCode::kStoreSchema) throw;
    return std::nullopt;
  }
}

struct View {
  proto::Subtask subtask;
  proto::Task task;
  reasons::Answer why;                ///< with what is known of its attempts
  std::optional<proto::Node> node{};  ///< where it is, when that is known still
  Json checkpoint{};                  ///< what its last run kept, where that is an object in JSON; else null
  std::optional<storage::RunLog> log{};
  bool is_of_tidb = false;  ///< a host of a live TiDB has it
};

/// Only some types keep what people can read.
Json readableCheckpoint(const std::string& checkpoint) {
  try {
    if (checkpoint.empty() || checkpoint.front() != '{') return {};
    return Json::parse(checkpoint);
  } catch (const Exception&) {
    return {};
  }
}

View look(Context& context, const std::string& name) {
  auto& store = context.store();
  const auto id = idOf(name);
  const auto subtask = store.clientTable().findSubtask(context.call(), id);
  if (!subtask)
    throw Exception(ErrorCode::kNotFound, fmt::format("there is no subtask id:{}, live or in history", id.value()));
  const auto task = store.clientTable().findTask(context.call(), subtask->task_id);
  if (!task) throw Exception(ErrorCode::kNotFound, fmt::format("subtask id:{} belongs to no task", id.value()));
  View view{*subtask, *task, {}};
  view.checkpoint = readableCheckpoint(store.taskTable().getSubtaskCheckpoint(context.call(), id));
  if (!context.isBesideTidb()) {  // whose scheduler keeps its reasons to itself
    const reasons::Sources sources{store.nodeTable(), store.schedulerTable(), store.reasonTable()};
    view.why = whySubtask(sources, context.call(), *task, id);
  }
  view.is_of_tidb = context.isWithoutSideTables();
  if (view.is_of_tidb) return view;
  if (!subtask->exec_id.empty()) view.node = store.nodeTable().getNode(context.call(), subtask->exec_id);
  view.log = findLog(context, id);
  view.is_of_tidb = context.isBesideTidb() && !view.node;
  return view;
}

/// The store keeps the last lines of a run; the log of its node has all.
std::string wholeLogText(const View& view) {
  if (view.subtask.start_time == 0 || view.is_of_tidb) return "";
  const auto host = view.node ? "on " + view.node->host : "on the host of " + view.subtask.exec_id;
  return fmt::format(
      "{}: journalctl -u disttaskd --since @{} --grep 'subtask_id=\"?{}\\b'",
      host,
      view.subtask.start_time,
      view.subtask.id.value()
  );
}

std::int64_t timeOfMs(const storage::RunLog& log, const storage::RunLogLine& line) {
  return log.written_ms - line.age.count();
}

/// Returns which lines follow: whose, how old, and how many there were before.
std::string logOriginText(const Context& context, const storage::RunLog& log) {
  auto text = fmt::format("by {}, written {}", log.exec_id, context.timeText(log.written_ms / 1000));
  if (log.num_earlier > 0) text += fmt::format(", after {} that are not kept", formatNumber(log.num_earlier, "line"));
  return text;
}

std::string logLinesText(const Context& context, const storage::RunLog& log) {
  std::vector<std::string> times;
  std::size_t width = 0;
  for (const auto& line : log.lines) {
    times.push_back(context.timeText(timeOfMs(log, line) / 1000));
    width = std::max(width, times.back().size());
  }
  std::string text;
  for (std::size_t i = 0; i < log.lines.size(); ++i) {
    const auto& line = log.lines[i];
    if (i > 0) text += '\n';
    text += fmt::format("{:<{}}  {:<5}  {}", times[i], width, line.level, printable(line.text));
  }
  return text;
}

std::string attemptsText(const storage::TriedSubtask& tried) {
  std::string text;
  if (tried.retries > 0) text = formatNumber(tried.retries, "retry");
  if (tried.retries > 1) text = fmt::format("{} retries", tried.retries);
  if (tried.abnormal_ends > 0)
    text += fmt::format("{}ended its node {}", text.empty() ? "" : ", ", formatNumber(tried.abnormal_ends, "time"));
  if (tried.handed_back) text += fmt::format("{}handed back by its node", text.empty() ? "" : ", ");
  return text;
}

std::string shortened(const std::string& text) {
  if (text.size() <= kMaxShownBytes) return text;
  return shorten(printable(text), kMaxShownBytes) + fmt::format(" ({} bytes, all with -o json)", text.size());
}

Json describe(const View& view) {
  const auto& [subtask, task, why, node, checkpoint, log, is_of_tidb] = view;
  const auto summary = proto::parseSummary(subtask.summary);
  const auto tried = why.subtask ? why.subtask->tried : storage::TriedSubtask{};
  const auto reasons = toJson(why);
  Json::Array lines;
  if (log) {
    for (const auto& line : log->lines) {
      lines.emplace_back(Json::Object{
          {"at", formatIsoTime(timeOfMs(*log, line) / 1000)},
          {"at_ms", timeOfMs(*log, line)},
          {"level", line.level},
          {"text", line.text}});
    }
  }
  return Json::Object{
      {"id", subtask.id.value()},
      {"task", task.id.value()},
      {"task_key", task.key},
      {"type", task.type},
      {"step", std::int64_t{subtask.step.value()}},
      {"ordinal", std::int64_t{subtask.ordinal}},
      {"state", proto::toString(subtask.state)},
      {"node", subtask.exec_id},
      {"host", node ? node->host : ""},
      {"slots", std::int64_t{subtask.slots}},
      {"retries", std::int64_t{tried.retries}},
      {"abnormal_ends", std::int64_t{tried.abnormal_ends}},
      {"last_error", proto::decodeRowError(tried.last_error)},
      {"rows", summary.row_count},
      {"bytes", summary.bytes},
      {"created", formatIsoTime(subtask.create_time)},
      {"started", formatIsoTime(subtask.start_time)},
      {"ended", formatIsoTime(subtask.end_time)},
      {"error", subtask.error},
      {"checkpoint", checkpoint},
      {"meta", parsedOrText(subtask.meta)},
      {"reasons", *reasons.find("reasons")},
      {"log", std::move(lines)},
      {"log_node", log ? log->exec_id : ""},
      {"log_earlier", log ? log->num_earlier : std::int64_t{0}},
  };
}

void print(Context& context, const View& view) {
  const auto& [subtask, task, why, node, checkpoint, log, is_of_tidb] = view;
  const auto state = std::string(proto::toString(subtask.state));
  const auto summary = proto::parseSummary(subtask.summary);
  Facts facts;
  facts.add(
      "subtask", fmt::format("id:{}, number {} of step {}", subtask.id.value(), subtask.ordinal, subtask.step.value())
  );
  facts.add("task", fmt::format("id:{}  {}", task.id.value(), task.key));
  facts.add("state", state, styleOfState(state));
  facts.add(
      "node", node && node->host != subtask.exec_id ? subtask.exec_id + " (host " + node->host + ")" : subtask.exec_id
  );
  facts.add("slots", std::to_string(subtask.slots));
  facts.add("created", context.timeText(subtask.create_time));
  facts.add("started", context.timeText(subtask.start_time));
  facts.add("ended", context.timeText(subtask.end_time));
  if (subtask.start_time > 0 && subtask.end_time >= subtask.start_time)
    facts.add("took", formatSpan(std::chrono::seconds(subtask.end_time - subtask.start_time)));
  if (summary.row_count > 0) facts.add("rows", formatCount(summary.row_count));
  if (summary.bytes > 0) facts.add("bytes", formatCount(summary.bytes));
  if (why.subtask) {
    facts.add("before", attemptsText(why.subtask->tried));
    facts.add("last error", proto::decodeRowError(why.subtask->tried.last_error));
  }
  facts.add("error", subtask.error);
  if (!proto::isDone(subtask.state)) {
    if (!checkpoint.isNull()) facts.add("kept", shortened(checkpoint.dump()));
    for (const auto& reason : why.reasons) facts.add("why", reason.text);
  }
  facts.add(subtask.state == proto::SubtaskState::kSucceed ? "result" : "meta", shortened(subtask.meta));
  if (log) {
    facts.add("log", logOriginText(context, *log));
    facts.add("", logLinesText(context, *log));
  }
  facts.add("whole log", wholeLogText(view));
  facts.print(context.out(), context.terminal());
}

}  // namespace

int execute(Context& context, const SubtaskShow& options) {
  const auto view = look(context, options.name);
  const auto name = fmt::format("id:{}", view.subtask.id.value());
  printOne(context, name, describe(view), [&] { print(context, view); });
  return app::kExitClean;
}

int execute(Context& context, const SubtaskCancel& options) {
  const auto id = idOf(options.name);
  const auto subtask = context.store().clientTable().findSubtask(context.call(), id);
  if (!subtask)
    throw Exception(ErrorCode::kNotFound, fmt::format("there is no subtask id:{}, live or in history", id.value()));
  const auto task = context.store().clientTable().findTask(context.call(), subtask->task_id);
  const bool waits = task && task->extra.manual_recovery;
  const auto* then = waits ? "wait for its resolution" : "revert";
  if (!proto::isDone(subtask->state)) {
    context.confirm(fmt::format("Cancel subtask id:{}? Its task '{}' will {}.", id.value(), task ? task->key : "", then)
    );
  }
  const bool asked = context.store().clientTable().cancelSubtask(context.call(), id);
  if (asked) context.nudgeOwner();
  context.err()
      << (asked ? fmt::format("subtask id:{} is canceled; its task will {}\n", id.value(), then)
                : fmt::format("subtask id:{} is canceled already\n", id.value()));
  printChange(context, fmt::format("id:{}", id.value()), Json::Object{{"id", id.value()}, {"asked", asked}});
  return app::kExitClean;
}

}  // namespace disttask::ctl
