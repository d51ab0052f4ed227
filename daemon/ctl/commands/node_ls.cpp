#include "commands.hpp"
#include "disttask/storage/poll_table.hpp"

#include "../../exit_codes.hpp"
#include "../output/table.hpp"
#include "../output/text.hpp"
#include <fmt/format.h>

#include <map>
#include <ostream>
#include <set>

namespace disttask::ctl {
namespace {

/// A life that is 0 was stopped by its own process or evicted by others; rows do not tell which.
std::string_view stateOf(const proto::Node& node) {
  return node.life == proto::Life() ? "gone" : "live";
}

/// "draining" becomes "drained" when nothing waits, runs or is planned there.
std::string wantedOf(Context& context, const proto::Node& node) {
  if (node.wanted != proto::WantedState::kDraining) return std::string(proto::toString(node.wanted));
  const auto seen = context.store().pollTable().poll(context.call(), node.exec_id);
  return seen.has_subtasks || seen.has_plan ? "draining" : "drained";
}

std::string typesText(const proto::Node& node) {
  std::string text;
  for (const auto& [type, version] : node.types)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", type, version);
  return text;
}

Json describe(const proto::Node& node, bool owner, const std::string& wanted) {
  Json::Object types;
  for (const auto& [type, version] : node.types) types.emplace(type, version);
  return Json::Object{
      {"node", node.exec_id},
      {"state", stateOf(node)},
      {"owner", owner},
      {"scope", node.role},
      {"slots", std::int64_t{node.slots}},
      {"types", std::move(types)},
      {"wanted", wanted},
      {"wanted_until", formatIsoTime(node.wanted_until)},
      {"wanted_message", node.wanted_message},
      {"lease_ms", node.lease_ms},
      {"renewals", node.renewals},
      {"host", node.host},
      {"pid", node.pid},
      {"address", node.address},
      {"version", node.version},
      {"registered", formatIsoTime(node.registered_at)},
  };
}

}  // namespace

int execute(Context& context, const NodeLs&) {
  auto& store = context.store();
  const auto nodes = store.nodeTable().getAllNodes(context.call());
  const auto owner = store.schedulerTable().getOwner(context.call());
  const auto is_owner = [&owner](const proto::Node& node) {
    return owner.life != proto::Life() && owner.exec_id == node.exec_id;
  };
  if (context.isJson()) {
    Json::Array list;
    for (const auto& node : nodes) list.push_back(describe(node, is_owner(node), wantedOf(context, node)));
    context.printJson(list);
    return app::kExitClean;
  }
  Table table(
      {{"NODE"},
       {"STATE"},
       {"WANTED"},
       {"ROLE"},
       {"SCOPE"},
       {"SLOTS", Align::kRight},
       {"TYPES"},
       {"HOST"},
       {"PID", Align::kRight},
       {"VERSION"},
       {"REGISTERED"}}
  );
  for (const auto& node : nodes) {
    const auto wanted = wantedOf(context, node);
    table.add(
        {node.exec_id,
         std::string(stateOf(node)),
         node.wanted_message.empty() ? wanted : wanted + ": " + node.wanted_message,
         is_owner(node) ? "owner" : "",
         node.role,
         std::to_string(node.slots),
         typesText(node),
         node.host,
         std::to_string(node.pid),
         node.version,
         formatTime(node.registered_at)}
    );
  }
  table.print(context.out());
  return app::kExitClean;
}

int execute(Context& context, const PluginLs&) {
  // task type → version → nodes
  std::map<std::string, std::map<std::string, std::set<std::string>>> offers;
  for (const auto& node : context.store().nodeTable().getAllNodes(context.call())) {
    if (node.life == proto::Life()) continue;
    for (const auto& [type, version] : node.types) offers[type][version].insert(node.exec_id);
  }
  if (context.isJson()) {
    Json::Array list;
    for (const auto& [type, versions] : offers) {
      for (const auto& [version, nodes] : versions) {
        list.push_back(Json::Object{
            {"type", type}, {"version", version}, {"nodes", Json::Array(nodes.begin(), nodes.end())}});
      }
    }
    context.printJson(list);
    return app::kExitClean;
  }
  Table table({{"TYPE"}, {"VERSION"}, {"NODES"}});
  for (const auto& [type, versions] : offers) {
    for (const auto& [version, nodes] : versions) table.add({type, version, fmt::format("{}", fmt::join(nodes, ", "))});
  }
  table.print(context.out());
  return app::kExitClean;
}

}  // namespace disttask::ctl
