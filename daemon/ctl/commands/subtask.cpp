#include "../args/subtask.hpp"

#include "commands.hpp"
#include "disttask/reasons/reasons.hpp"

#include "../../exit_codes.hpp"
#include "../output/listing.hpp"
#include "../output/text.hpp"
#include <fmt/format.h>

namespace disttask::ctl {
namespace {

constexpr std::size_t kMaxShownBytes = 2000;

proto::SubtaskId idOf(const std::string& name) {
  const auto digits = name.rfind("id:", 0) == 0 ? name.substr(3) : name;
  if (digits.empty() || digits.size() > 18 || digits.find_first_not_of("0123456789") != std::string::npos)
    throw Exception(ErrorCode::kInvalidArgument, "'" + name + "' is no id of a subtask, expected such as 42 or id:42");
  return proto::SubtaskId(std::stoll(digits));
}

struct View {
  proto::Subtask subtask;
  proto::Task task;
  reasons::Answer why;                ///< with what is known of its attempts
  std::optional<proto::Node> node{};  ///< where it is, when that is known still
};

View look(Context& context, const std::string& name) {
  auto& store = context.store();
  const auto id = idOf(name);
  const auto subtask = store.clientTable().findSubtask(context.call(), id);
  if (!subtask)
    throw Exception(ErrorCode::kNotFound, fmt::format("there is no subtask id:{}, live or in history", id.value()));
  const auto task = store.clientTable().findTask(context.call(), subtask->task_id);
  if (!task) throw Exception(ErrorCode::kNotFound, fmt::format("subtask id:{} belongs to no task", id.value()));
  const reasons::Sources sources{store.nodeTable(), store.schedulerTable(), store.reasonTable()};
  View view{*subtask, *task, whySubtask(sources, context.call(), *task, id)};
  if (!subtask->exec_id.empty()) view.node = store.nodeTable().getNode(context.call(), subtask->exec_id);
  return view;
}

/// The store keeps no log lines; the node's log does.
std::string logText(const View& view) {
  if (view.subtask.start_time == 0) return "";
  const auto host = view.node ? "on " + view.node->host : "on the host of " + view.subtask.exec_id;
  return fmt::format(
      "{}: journalctl -u disttaskd --since @{} --grep 'subtask_id=\"?{}\\b'",
      host,
      view.subtask.start_time,
      view.subtask.id.value()
  );
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
  const auto& [subtask, task, why, node] = view;
  const auto summary = proto::parseSummary(subtask.summary);
  const auto tried = why.subtask ? why.subtask->tried : storage::TriedSubtask{};
  const auto reasons = toJson(why);
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
      {"last_error", tried.last_error},
      {"rows", summary.row_count},
      {"bytes", summary.bytes},
      {"created", formatIsoTime(subtask.create_time)},
      {"started", formatIsoTime(subtask.start_time)},
      {"ended", formatIsoTime(subtask.end_time)},
      {"error", subtask.error},
      {"meta", parsedOrText(subtask.meta)},
      {"reasons", *reasons.find("reasons")},
  };
}

void print(Context& context, const View& view) {
  const auto& [subtask, task, why, node] = view;
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
    facts.add("last error", why.subtask->tried.last_error);
  }
  facts.add("error", subtask.error);
  if (!proto::isDone(subtask.state)) {
    for (const auto& reason : why.reasons) facts.add("why", reason.text);
  }
  facts.add(subtask.state == proto::SubtaskState::kSucceed ? "result" : "meta", shortened(subtask.meta));
  facts.add("log", logText(view));
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
