#include "commands.hpp"

#include "../../exit_codes.hpp"
#include "../args/node.hpp"
#include "../args/plugin.hpp"
#include "../nodes.hpp"
#include "../output/listing.hpp"
#include "../output/text.hpp"
#include <fmt/format.h>

#include <map>
#include <set>

namespace disttask::ctl {
namespace {

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
  const auto nodes = listNodes(context);
  const auto owner = store.schedulerTable().getOwner(context.call());
  const auto is_owner = [&owner](const proto::Node& node) {
    return owner.life != proto::Life() && owner.exec_id == node.exec_id;
  };
  std::vector<Item> items;
  for (const auto& node : nodes) {
    const auto wanted = findWanted(context, node);
    items.push_back(
        {node.exec_id,
         describe(node, is_owner(node), wanted),
         {node.exec_id,
          stateCell(stateOf(node)),
          Cell(node.wanted_message.empty() ? wanted : wanted + ": " + node.wanted_message, styleOfState(wanted)),
          is_owner(node) ? "owner" : "",
          node.role,
          std::to_string(node.slots),
          typesText(node),
          node.host,
          node.pid == 0 ? "" : std::to_string(node.pid),
          node.version,
          context.timeText(node.registered_at)}}
    );
  }
  printList(
      context,
      {{"NODE"},
       {"STATE"},
       {"WANTED", Align::kLeft, 1},
       {"ROLE"},
       {"SCOPE", Align::kLeft, 2},
       {"SLOTS", Align::kRight},
       {"TYPES", Align::kLeft, 3},
       {"HOST", Align::kLeft, 4},
       {"PID", Align::kRight, 6},
       {"VERSION", Align::kLeft, 7},
       {"REGISTERED", Align::kLeft, 5}},
      items
  );
  return app::kExitClean;
}

int execute(Context& context, const PluginLs&) {
  // task type → version → nodes
  std::map<std::string, std::map<std::string, std::set<std::string>>> offers;
  for (const auto& node : context.store().nodeTable().getAllNodes(context.call())) {
    if (node.life == proto::Life()) continue;
    for (const auto& [type, version] : node.types) offers[type][version].insert(node.exec_id);
  }
  std::vector<Item> items;
  for (const auto& [type, versions] : offers) {
    for (const auto& [version, nodes] : versions) {
      items.push_back(
          {type,
           Json::Object{{"type", type}, {"version", version}, {"nodes", Json::Array(nodes.begin(), nodes.end())}},
           {type, version, fmt::format("{}", fmt::join(nodes, ", "))}}
      );
    }
  }
  printList(context, {{"TYPE"}, {"VERSION"}, {"NODES", Align::kLeft, 1}}, items);
  return app::kExitClean;
}

}  // namespace disttask::ctl
