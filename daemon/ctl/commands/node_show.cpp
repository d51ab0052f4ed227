#include "../args/node_show.hpp"

#include "commands.hpp"
#include "disttask/base/error.hpp"

#include "../../exit_codes.hpp"
#include "../nodes.hpp"
#include "../output/listing.hpp"
#include "../output/text.hpp"
#include <fmt/format.h>

namespace disttask::ctl {
namespace {

constexpr std::int32_t kMaxRuns = 1000;
constexpr std::int32_t kLastEvents = 5;

struct NodeView {
  proto::Node node;
  bool is_owner = false;
  storage::mysql::WorkOfNode work;
  std::vector<storage::EventRecord> events;
};

NodeView look(Context& context, const std::string& name) {
  auto& store = context.store();
  const auto node = store.nodeTable().getNode(context.call(), name);
  if (!node) throw Exception(ErrorCode::kNotFound, "there is no node '" + name + "'; see disttaskctl node ls");
  const auto owner = store.schedulerTable().getOwner(context.call());
  return {
      *node,
      owner.life != proto::Life() && owner.exec_id == name,
      store.health().lookAtNode(context.call(), name, kMaxRuns),
      store.clientTable().listNodeEvents(context.call(), name, kLastEvents)};
}

std::string counted(std::int64_t number) {
  return formatNumber(number, "subtask") + (number >= kMaxRuns ? " or more" : "");
}

std::string wantedOf(const NodeView& view) {
  const bool is_empty = view.work.runs.empty() && view.work.pending == 0 && view.work.plans == 0;
  return std::string(ctl::wantedOf(view.node, is_empty));
}

Json toJson(const NodeView& view) {
  const auto& node = view.node;
  Json::Object types;
  for (const auto& [type, version] : node.types) types.emplace(type, version);
  Json::Array runs;
  for (const auto& run : view.work.runs) {
    runs.push_back(Json::Object{
        {"subtask", run.id.value()},
        {"task", run.task_id.value()},
        {"key", run.task_key},
        {"step", std::int64_t{run.step.value()}},
        {"ordinal", std::int64_t{run.ordinal}},
        {"slots", std::int64_t{run.slots}},
        {"seconds", run.runs_for_s},
    });
  }
  Json::Array events;
  for (const auto& event : view.events) {
    events.push_back(Json::Object{
        {"at", formatIsoTime(event.at_ms / 1000)},
        {"event", event.event},
        {"by", event.actor_kind},
        {"actor", event.actor},
        {"to", event.to},
        {"reason", event.reason},
    });
  }
  return Json::Object{
      {"node", node.exec_id},
      {"state", node.life == proto::Life() ? "gone" : "live"},
      {"owner", view.is_owner},
      {"life", std::to_string(node.life.value())},
      {"epoch", node.epoch},
      {"lease_ms", node.lease_ms},
      {"renewals", node.renewals},
      {"scope", node.role},
      {"slots", std::int64_t{node.slots}},
      {"types", std::move(types)},
      {"wanted", wantedOf(view)},
      {"wanted_until", formatIsoTime(node.wanted_until)},
      {"wanted_message", node.wanted_message},
      {"trouble", proto::describeReasons(node.reasons)},
      {"address", node.address},
      {"host", node.host},
      {"pid", node.pid},
      {"version", node.version},
      {"registered", formatIsoTime(node.registered_at)},
      {"pending", view.work.pending},
      {"plans", view.work.plans},
      {"runs", std::move(runs)},
      {"events", std::move(events)},
  };
}

std::string joined(const std::map<std::string, std::string>& types) {
  std::string text;
  for (const auto& [type, version] : types) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", type, version);
  return text.empty() ? "none" : text;
}

std::string wantedText(Context& context, const NodeView& view) {
  auto text = wantedOf(view);
  if (!view.node.wanted_message.empty()) text += ": " + view.node.wanted_message;
  if (view.node.wanted_until != 0) text += ", runs are given back " + context.timeText(view.node.wanted_until);
  return text;
}

void print(Context& context, const NodeView& view) {
  const auto& node = view.node;
  const bool live = node.life != proto::Life();
  Facts facts;
  facts.add("node", node.exec_id);
  facts.add("state", live ? "live" : "gone", styleOfState(live ? "live" : "gone"));
  facts.add("role", view.is_owner ? "owner of the scheduler role" : "");
  facts.add("wanted", wantedText(context, view), styleOfState(wantedOf(view)));
  facts.add("trouble", proto::describeReasons(node.reasons), Style::kBad);
  facts.add("life", live ? fmt::format("{}, number {}", node.life.value(), node.epoch) : "");
  facts.add("lease", fmt::format("{} s, renewed {} times in this life", node.lease_ms / 1000, node.renewals));
  facts.add("scope", node.role);
  facts.add("slots", std::to_string(node.slots));
  facts.add("types", joined(node.types));
  facts.add("process", node.host.empty() ? "" : fmt::format("host {}, pid {}", node.host, node.pid));
  facts.add("address", node.address.empty() ? "none: it is not woken by datagrams" : node.address);
  facts.add("version", node.version);
  facts.add("registered", context.timeText(node.registered_at));
  facts.add("waiting", counted(view.work.pending));
  facts.add("planning", view.work.plans > 0 ? formatNumber(view.work.plans, "plan") : "");
  facts.add("running", counted(static_cast<std::int64_t>(view.work.runs.size())));
  facts.print(context.out(), context.terminal());
  if (!view.work.runs.empty()) {
    Table runs(
        {{"TASK", Align::kLeft, 1},
         {"STEP", Align::kRight},
         {"#", Align::kRight},
         {"SUBTASK", Align::kRight, 2},
         {"SLOTS", Align::kRight, 3},
         {"FOR", Align::kRight}}
    );
    for (const auto& run : view.work.runs) {
      runs.add(
          {run.task_key.empty() ? "id:" + std::to_string(run.task_id.value()) : run.task_key,
           std::to_string(run.step.value()),
           std::to_string(run.ordinal),
           "id:" + std::to_string(run.id.value()),
           std::to_string(run.slots),
           formatSpan(std::chrono::seconds(run.runs_for_s))}
      );
    }
    context.out() << '\n';
    runs.print(context.out(), context.terminal());
  }
  if (!view.events.empty()) {
    Table events({{"AT"}, {"EVENT"}, {"TO"}, {"WHO", Align::kLeft, 2}, {"WHY", Align::kLeft, 0, true}});
    for (const auto& event : view.events) {
      events.add({context.timeText(event.at_ms / 1000), event.event, event.to, event.actor, firstLine(event.reason)});
    }
    context.out() << '\n';
    events.print(context.out(), context.terminal());
  }
}

}  // namespace

int execute(Context& context, const NodeShow& options) {
  const auto view = look(context, options.node);
  printOne(context, view.node.exec_id, toJson(view), [&] { print(context, view); });
  return app::kExitClean;
}

}  // namespace disttask::ctl
