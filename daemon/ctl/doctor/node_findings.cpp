#include "disttask/proto/node_types.hpp"
#include "parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace disttask::ctl {
namespace {

using proto::Life;
using proto::WantedState;

bool isLive(const proto::Node& node) {
  return node.life != Life();
}

/// A silent holder is followed after its lease and a second, by a look each two seconds or so.
constexpr std::int64_t kTakeOverMs = 5000;

void diagnoseOwner(const DoctorFacts& facts, std::vector<Finding>& findings) {
  if (!facts.owner || facts.is_beside_tidb) return;
  const auto& owner = *facts.owner;
  if (owner.life == Life()) {
    findings.push_back(
        {Severity::kError,
         "no_owner",
         "",
         "no node holds the scheduler role: nothing is planned or handed out",
         "start disttaskd on a node; where one runs, its log says why it does not take the role"}
    );
    return;
  }
  if (owner.since_renewal_ms && *owner.since_renewal_ms > owner.lease_ms + kTakeOverMs) {
    findings.push_back(
        {Severity::kError,
         "owner_silent",
         owner.exec_id,
         fmt::format(
             "node '{}' holds the scheduler role and has been silent for {} s: no node is left to follow it",
             owner.exec_id,
             *owner.since_renewal_ms / 1000
         ),
         "start disttaskd on a node; where one runs, its STATUS tells what the store refuses it; what node ls shows as "
         "live may be dead as well"}
    );
  }
}

std::string reassign(const proto::ExecId& exec_id) {
  return fmt::format(
      "start it again, or, when it is gone for good: disttaskctl node forget {} --reassign, which takes it out of "
      "TiDB's register and says what keeps its subtasks",
      exec_id
  );
}

/// What became of a node that is not live, as far as its events tell.
std::string endOf(const proto::Node& node, const DoctorFacts& facts) {
  const auto end = facts.ends.find(node.exec_id);
  if (end == facts.ends.end()) return "was stopped or evicted";
  return end->second == "stopped" ? "was stopped" : "was evicted: it did not renew its lease";
}

void diagnoseNode(const proto::Node& node, const DoctorFacts& facts, std::vector<Finding>& findings) {
  if (!isLive(node) && facts.is_beside_tidb && node.has_meta_row) {
    findings.push_back(
        {Severity::kWarning,
         "gone_node_registered",
         node.exec_id,
         fmt::format(
             "node '{}' {}, and is still registered: TiDB cannot see that and gives it subtasks",
             node.exec_id,
             endOf(node, facts)
         ),
         reassign(node.exec_id)}
    );
    return;
  }
  if (!isLive(node)) {
    findings.push_back(
        {Severity::kNote,
         "node_gone",
         node.exec_id,
         fmt::format("node '{}' {}", node.exec_id, endOf(node, facts)),
         fmt::format("start it again, or, when it is gone for good: disttaskctl node forget {}", node.exec_id)}
    );
    return;
  }
  if (!node.has_meta_row || node.slots < 1) {
    findings.push_back(
        {Severity::kWarning,
         "node_without_slots",
         node.exec_id,
         fmt::format("live node '{}' has no row with slots in dist_framework_meta: it gets no work", node.exec_id),
         "it writes its row again within seconds while it can write to the store; see its log"}
    );
  }
  if (proto::isUnreadableRow(node.reasons)) {
    findings.push_back(
        {Severity::kWarning,
         "node_unreadable",
         node.exec_id,
         fmt::format(
             "the row of node '{}' in disttask_node cannot be read, so it gets no work: {}",
             node.exec_id,
             proto::describeReasons(node.reasons)
         ),
         "somebody else has written there: restart disttaskd on the node, which writes its row anew"}
    );
  } else if (!node.reasons.empty()) {
    findings.push_back(
        {Severity::kWarning,
         "node_trouble",
         node.exec_id,
         fmt::format("the store refuses node '{}': {}", node.exec_id, proto::describeReasons(node.reasons)),
         "mend what the server says there; the node tries again by itself"}
    );
  }
  if (node.wanted != WantedState::kNormal) {
    findings.push_back(
        {Severity::kNote,
         "node_taken_out",
         node.exec_id,
         fmt::format(
             "node '{}' is {}{}",
             node.exec_id,
             toString(node.wanted),
             node.wanted_message.empty() ? "" : ": " + node.wanted_message
         ),
         node.wanted_message == proto::kStopDrainMessage
             ? "it is being stopped; its next start ends this"
             : fmt::format("when it may work again: disttaskctl node uncordon {}", node.exec_id)}
    );
  }
}

/// Nobody evicts a node beside a live TiDB, and TiDB does not know our leases.
void diagnoseSilent(const DoctorFacts& facts, const proto::ExecId& exec_id, std::vector<Finding>& findings) {
  if (!facts.is_beside_tidb) {
    findings.push_back(
        {Severity::kWarning,
         "node_silent",
         exec_id,
         fmt::format("node '{}' has not renewed its lease while it was watched", exec_id),
         "see whether its process runs and reaches the store; the owner evicts it when its lease is over"}
    );
    return;
  }
  const auto rows = std::find_if(facts.silent_holders.begin(), facts.silent_holders.end(), [&](const auto& holder) {
    return holder.exec_id == exec_id;
  });
  const bool has_rows = rows != facts.silent_holders.end() && rows->pending + rows->running > 0;
  findings.push_back(
      {Severity::kWarning,
       "node_silent",
       exec_id,
       fmt::format(
           "node '{}' has not renewed its lease while it was watched{}; TiDB cannot see that and moves nothing away",
           exec_id,
           has_rows ? fmt::format(", with {} pending and {} running subtasks", rows->pending, rows->running) : ""
       ),
       reassign(exec_id)}
  );
}

void diagnoseUnwatched(const UnwatchedNode& node, std::vector<Finding>& findings) {
  const auto seconds = [](std::chrono::milliseconds span) {
    return std::chrono::ceil<std::chrono::seconds>(span).count();
  };
  findings.push_back(
      {Severity::kNote,
       "node_not_watched",
       node.exec_id,
       fmt::format(
           "whether node '{}' lives is not known: by its lease it may take {} s to renew it, and it was watched for {} "
           "s",
           node.exec_id,
           seconds(node.needed),
           seconds(node.watched)
       ),
       fmt::format("disttaskctl doctor --observe {}s", seconds(node.needed))}
  );
}

/// TiDB takes the slots of the first or the last registered host by name, as its version goes, for those of all.
void diagnoseRegister(const DoctorFacts& facts, std::vector<Finding>& findings) {
  if (!facts.is_beside_tidb) return;
  std::vector<storage::mysql::RegisteredHost> hosts;
  for (const auto& host : facts.registered) {
    if (host.slots > 0) hosts.push_back(host);
  }
  if (hosts.size() < 2) return;
  for (const auto* taken : {&hosts.front(), &hosts.back()}) {
    const bool is_ours = std::any_of(facts.nodes.begin(), facts.nodes.end(), [&](const auto& node) {
      return node.exec_id == taken->host;
    });
    const auto other =
        std::find_if(hosts.begin(), hosts.end(), [&](const auto& host) { return host.slots != taken->slots; });
    if (!is_ours || other == hosts.end()) continue;
    findings.push_back(
        {Severity::kWarning,
         "slots_differ_in_register",
         taken->host,
         fmt::format(
             "node '{}' has {} slots, '{}' has {}: TiDB takes those of the first or the last host by name, as its "
             "version goes, for the slots of all",
             taken->host,
             taken->slots,
             other->host,
             other->slots
         ),
         "give our nodes as many slots as the TiDB nodes have, or a node.id whose name is between theirs"}
    );
  }
}

}  // namespace

void diagnoseNodes(const DoctorFacts& facts, std::vector<Finding>& findings) {
  diagnoseOwner(facts, findings);
  if (!facts.owner) return;  // the tables were not looked at
  const auto num_live = std::count_if(facts.nodes.begin(), facts.nodes.end(), isLive);
  if (num_live == 0 && facts.is_beside_tidb) {
    // TiDB's own nodes run what there is.
  } else if (num_live == 0) {
    findings.push_back(
        {Severity::kError, "no_live_node", "", "no node is live: nothing runs", "start disttaskd on a node"}
    );
  } else if (std::none_of(facts.nodes.begin(), facts.nodes.end(), [](const auto& node) {
               return isLive(node) && node.wanted == WantedState::kNormal;
             })) {
    findings.push_back(
        {Severity::kWarning,
         "all_taken_out",
         "",
         "every live node is cordoned or draining: nothing new begins",
         "disttaskctl node uncordon NODE"}
    );
  }
  for (const auto& node : facts.nodes) diagnoseNode(node, facts, findings);
  for (const auto& exec_id : facts.silent) diagnoseSilent(facts, exec_id, findings);
  for (const auto& node : facts.unwatched) diagnoseUnwatched(node, findings);
  diagnoseRegister(facts, findings);
}

void diagnoseTypes(const DoctorFacts& facts, std::vector<Finding>& findings) {
  std::map<std::string, std::map<std::string, std::string>> types;  // type → version → nodes
  std::map<std::string, std::string> programs;
  std::map<std::string, std::set<std::string>> scopes;  // scope → types that some node of it offers
  const auto add = [](std::string& list, const std::string& exec_id) { list += (list.empty() ? "" : ", ") + exec_id; };
  for (const auto& node : facts.nodes) {
    if (!isLive(node)) continue;
    add(programs[node.version], node.exec_id);
    for (const auto& [type, version] : node.types) {
      add(types[type][version], node.exec_id);
      scopes[node.role].insert(type);
    }
  }
  const auto describe = [](const std::map<std::string, std::string>& versions) {
    std::string text;
    for (const auto& [version, nodes] : versions) {
      text += fmt::format("{}{} on {}", text.empty() ? "" : "; ", version.empty() ? "(none)" : version, nodes);
    }
    return text;
  };
  for (const auto& [type, versions] : types) {
    if (versions.size() < 2) continue;
    findings.push_back(
        {Severity::kWarning,
         "plugin_versions_differ",
         type,
         fmt::format("task type '{}' has several versions: {}", type, describe(versions)),
         "install the same plugin on each node and restart disttaskd there"}
    );
  }
  if (programs.size() > 1) {
    findings.push_back(
        {Severity::kWarning,
         "programs_differ",
         "",
         fmt::format("disttaskd has several versions: {}", describe(programs)),
         "finish the upgrade; two versions side by side are meant for a rolling restart only"}
    );
  }
  for (const auto& node : facts.nodes) {
    if (!isLive(node)) continue;
    for (const auto& type : scopes[node.role]) {
      if (node.types.contains(type)) continue;
      findings.push_back(
          {Severity::kNote,
           "type_missing_on_node",
           node.exec_id,
           fmt::format(
               "node '{}' does not offer task type '{}', others in scope '{}' do", node.exec_id, type, node.role
           ),
           "meant so, or install the plugin there and reload disttaskd (systemctl reload disttaskd)"}
      );
    }
  }
}

}  // namespace disttask::ctl
