// node forget --reassign: a node is gone for good and nobody has noticed. Its life is ended once its lease is over, its
// subtasks go to other nodes, and it is forgotten; what cannot be moved is told, with what can be done about it.
#include "node_reassign.hpp"

#include "commands.hpp"
#include "disttask/base/iso_time.hpp"
#include "disttask/base/printable.hpp"
#include "disttask/base/random.hpp"
#include "disttask/executor/holder_watch.hpp"

#include "../../exit_codes.hpp"
#include "../args/node.hpp"
#include "../output/interrupt.hpp"
#include "../output/listing.hpp"
#include <fmt/format.h>

#include <algorithm>

namespace disttask::ctl {
namespace {

using proto::Life;
using storage::mysql::RowsNamingNode;
using storage::mysql::TaskOnNode;

constexpr auto kLookEvery = std::chrono::milliseconds(200);
constexpr auto kDefaultLimit = std::chrono::seconds(60);
constexpr std::int32_t kMaxTasks = 100;

[[noreturn]] void refuse(std::string text) {
  throw Exception(ErrorCode::kPrecondition, std::move(text));
}

/// Ends the life of a node that has been silent for its lease and a second. Throws when it renews meanwhile; false: an
/// interrupt came first.
bool endLife(Context& context, const proto::Node& first, const InterruptWatch& interrupt) {
  if (first.life == Life()) return true;
  auto& nodes = context.store().nodeTable();
  auto& clock = runtime::systemClock();
  runtime::Wakeup pause(clock);
  executor::HolderWatch watch;
  context.err() << fmt::format(
                       "node '{}' is not known to be dead: watching its lease for {} s\n",
                       first.exec_id,
                       first.lease_ms / 1000 + 1
                   )
                << std::flush;
  for (auto node = first;;) {
    if (node.life != first.life || node.renewals != first.renewals) {
      refuse(fmt::format(
          "node '{}' lives: its process renewed its lease just now (host {}, pid {}); stop that first",
          node.exec_id,
          node.host,
          node.pid
      ));
    }
    // A write that changes nothing, of a life that no row has: it says whether the store takes writes, so whether the
    // node could renew.
    proto::Node probe;
    probe.exec_id = node.exec_id;
    probe.life = Life(randomToken());
    probe.lease_ms = node.lease_ms;
    const auto seen_at = clock.now();
    static_cast<void>(nodes.renew(context.call(), probe));
    if (watch.observe(node, seen_at)) {
      if (nodes.evict(context.call(), node.exec_id, node.life, node.renewals)) return true;
    } else {
      pause.waitFor({}, kLookEvery);
    }
    if (interrupt.signal() != 0) return false;
    auto fresh = nodes.getNode(context.call(), first.exec_id);
    if (!fresh) refuse("node '" + first.exec_id + "' was forgotten by somebody else meanwhile");
    if (fresh->life == Life()) return true;
    node = std::move(*fresh);
  }
}

std::string adviceBesideTiDb(const TaskOnNode& task, const RemainingFacts& facts) {
  const bool has_other = std::any_of(facts.registered.begin(), facts.registered.end(), [&](const auto& row) {
    return row.host != facts.node && row.role == task.scope;
  });
  if (!has_other)
    return fmt::format(
        "no other node is registered with scope '{}': start one, or cancel the task in TiDB", task.scope
    );
  return "TiDB's scheduler has not moved them: see that a TiDB runs with tidb_enable_dist_task on, and that the other "
         "nodes have slots free";
}

std::string adviceOfOurs(const TaskOnNode& task, const RemainingFacts& facts) {
  const bool has_other = std::any_of(facts.nodes.begin(), facts.nodes.end(), [&](const auto& node) {
    return node.exec_id != facts.node && node.life != Life() && node.role == task.scope;
  });
  if (!has_other)
    return fmt::format("no other live node has scope '{}': start one, or disttaskctl task cancel", task.scope);
  return fmt::format("disttaskctl task why id:{} says what they wait for", task.task_id.value());
}

int reportRemaining(
    Context& context, const std::string& node, const std::vector<TaskOnNode>& tasks, const InterruptWatch& interrupt
) {
  auto& store = context.store();
  RemainingFacts facts;
  facts.node = node;
  facts.beside_tidb = store.settings().shared_with_dxf;
  facts.nodes = store.nodeTable().getAllNodes(context.call());
  facts.registered = store.health().listRegistered(context.call(), kMaxTasks);
  Json::Array list;
  context.err() << fmt::format(
      "{}node '{}' is taken out, but keeps these subtasks and is not forgotten yet:\n",
      interrupt.signal() != 0 ? "\n" : "",
      node
  );
  for (const auto& task : tasks) {
    const auto advice = adviceFor(task, facts);
    context.err() << fmt::format(
        "task {} ('{}', {}): {} pending, {} running: {}\n",
        task.task_id.value(),
        printable(task.task_key),
        task.state.empty() ? "not live" : task.state,
        task.pending,
        task.running,
        advice
    );
    list.push_back(Json::Object{
        {"task", task.task_id.value()},
        {"key", task.task_key},
        {"state", task.state},
        {"scope", task.scope},
        {"pending", task.pending},
        {"running", task.running},
        {"remedy", advice},
    });
  }
  printChange(context, node, Json::Object{{"node", node}, {"forgotten", false}, {"remaining", std::move(list)}});
  return interrupt.signal() != 0 ? interrupt.exitCode() : app::kCtlTimeLimit;
}

}  // namespace

std::string adviceFor(const TaskOnNode& task, const RemainingFacts& facts) {
  if (task.state.empty()) return "their task is not live, so nobody moves them: a DBA may set them to canceled";
  return facts.beside_tidb ? adviceBesideTiDb(task, facts) : adviceOfOurs(task, facts);
}

namespace {

std::string adviceForKept(const RowsNamingNode& row, const RemainingFacts& facts) {
  if (row.task.state.empty()) return "their task is not live, so nobody moves them: a DBA may delete them";
  const auto state = proto::parseTaskState(row.task.state);
  if (state && proto::isDone(*state)) {
    return fmt::format(
        "ended {}; they go to history with it, scheduler.history_after (10m where nothing else is set) later",
        formatIsoTime(row.task_ended_at)
    );
  }
  if (row.task.pending + row.task.running > 0) {
    return adviceFor(row.task, facts) + ". The owner gives them to other nodes; --reassign waits for that";
  }
  if (row.paused > 0) return "paused ones move when it goes on: disttaskctl task resume, or task cancel";
  return "ended ones go to history with their task, when that has ended";
}

}  // namespace

std::string describeKept(const std::vector<RowsNamingNode>& rows, const RemainingFacts& facts) {
  auto text = fmt::format("node '{}' cannot be forgotten yet, these subtasks name it:", facts.node);
  for (const auto& row : rows) {
    std::string counts;
    const auto add = [&counts](std::int64_t count, const char* what) {
      if (count > 0) counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, what);
    };
    add(row.task.pending, "pending");
    add(row.task.running, "running");
    add(row.paused, "paused");
    add(row.ended, "ended");
    text += fmt::format(
        "\ntask id:{} ('{}', {}): {}: {}",
        row.task.task_id.value(),
        row.task.task_key,
        row.task.state.empty() ? "not live" : row.task.state,
        counts,
        adviceForKept(row, facts)
    );
  }
  return text;
}

void refuseWhatIsKept(Context& context, const proto::ExecId& node) {
  const auto rows = context.store().health().listRowsNaming(context.call(), node, kMaxTasks);
  if (rows.empty()) return;
  RemainingFacts facts;
  facts.node = node;
  facts.nodes = context.store().nodeTable().getAllNodes(context.call());
  refuse(describeKept(rows, facts));
}

int reassignNode(Context& context, const NodeForget& options, const proto::Node& node) {
  auto& store = context.store();
  auto& clock = runtime::systemClock();
  const InterruptWatch interrupt;
  if (!endLife(context, node, interrupt)) {
    context.err() << "\nnothing was done\n";
    return interrupt.exitCode();
  }
  context.nudgeOwner();
  const runtime::Deadline limit(clock, options.timeout.value_or(kDefaultLimit));
  runtime::Wakeup pause(clock);
  for (;;) {
    try {
      if (store.nodeTable().forget(context.call(), node.exec_id, Life())) return app::kExitClean;
      refuse("node '" + node.exec_id + "' changed meanwhile: a process registered, or it is gone");
    } catch (const Exception& e) {
      if (e.error().code() != ErrorCode::kPrecondition) throw;
      const auto tasks = store.health().listTasksOfNode(context.call(), node.exec_id, kMaxTasks);
      const auto fresh = store.nodeTable().getNode(context.call(), node.exec_id);
      if (!fresh || fresh->life != Life() || (tasks.empty() && limit.isReached())) throw;
      if (tasks.empty() && !store.settings().shared_with_dxf) {
        refuseWhatIsKept(context, node.exec_id);
        throw;
      }
      if (!tasks.empty() && (limit.isReached() || interrupt.signal() != 0))
        return reportRemaining(context, node.exec_id, tasks, interrupt);
    }
    if (interrupt.signal() != 0) return interrupt.exitCode();
    pause.waitFor({}, kLookEvery);
  }
}

}  // namespace disttask::ctl
