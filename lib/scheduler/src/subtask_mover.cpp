#include "subtask_mover.hpp"

#include "disttask/base/failpoint.hpp"
#include "disttask/observability/log_context.hpp"

#include <algorithm>
#include <utility>

namespace disttask::scheduler {

namespace {

using observability::Level;
using observability::log;
using storage::SubtaskMove;

/// Rows per transaction, and transactions per task and round: a long move does not keep other tasks waiting.
constexpr std::size_t kRowsPerMove = 1000;
constexpr int kMovesPerRound = 10;
/// Counting is linear in the pending rows: it may take at most this part of the time.
constexpr int kCountShare = 20;
/// What a round has for counts and balance: a node that joins meanwhile waits for its end.
constexpr std::chrono::milliseconds kTurnsPerRound{500};

/// Who gives, and for each row to whom.
std::map<proto::ExecId, std::vector<proto::ExecId>> receiversByGiver(const std::vector<Transfer>& transfers) {
  std::map<proto::ExecId, std::vector<proto::ExecId>> receivers;
  for (const auto& transfer : transfers) {
    receivers[transfer.from].insert(
        receivers[transfer.from].end(), static_cast<std::size_t>(transfer.count), transfer.to
    );
  }
  return receivers;
}

}  // namespace

void SubtaskMover::begin(const std::set<proto::TaskId>& running, const std::set<proto::TaskId>& begun) {
  spent_ = {};
  first_ = std::exchange(next_first_, std::nullopt);
  // Who does not run has no turn, so nobody may wait for it.
  if (first_ && !running.contains(*first_)) first_.reset();
  std::erase_if(known_, [&](const auto& entry) { return !begun.contains(entry.first); });
  for (auto& [id, known] : known_) {
    if (!running.contains(id)) known.skew = 0;  // nobody balances it
  }
}

bool SubtaskMover::hasTurn(proto::TaskId id) {
  if (first_ && *first_ != id) return false;
  first_.reset();
  if (!next_first_ && spent_ >= kTurnsPerRound) next_first_ = id;
  return !next_first_;
}

bool SubtaskMover::run(Round& round, const proto::TaskBase& task) {
  const auto fields = observability::taskFields(task);
  const observability::LogContext context(fields);
  auto& known = known_[task.id];
  bool changed = moveHandedBack(round, task, known);
  if (hasTurn(task.id)) {
    const auto begin = round.clock.now();
    changed = takeTurn(round, task, known) || changed;
    spent_ += round.clock.now() - begin;
  }
  return changed;
}

bool SubtaskMover::takeTurn(Round& round, const proto::TaskBase& task, Known& known) {
  const auto now = round.clock.now();
  const bool has_changed = known.placement != round.placement.fingerprint() || known.max_nodes != task.max_nodes;
  if (!has_changed && now < (round.is_early ? known.may_count : known.next_count)) return false;
  DISTTASK_FAILPOINT("scheduler.balance");
  std::vector<proto::ExecId> leavers;
  auto nodes = choose(round, task, known, leavers);
  const auto cost = round.clock.now() - now;
  known.may_count = round.clock.now() + cost * kCountShare;
  known.next_count = std::max(known.may_count, round.clock.now() + round.settings.balance_interval);
  known.placement = round.placement.fingerprint();
  known.max_nodes = task.max_nodes;
  if (!leavers.empty()) return moveOff(round, task, known, leavers, nodes);
  known.has_logged_no_place = false;
  return balance(round, task, nodes);
}

std::vector<NodeLoad> SubtaskMover::choose(
    Round& round, const proto::TaskBase& task, Known& known, std::vector<proto::ExecId>& leavers
) {
  auto counts = table_.countSubtasksByNode(round.call(), task.id, round.strays);
  // Who has most keeps it when the task may use fewer nodes.
  std::stable_sort(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
    return a.second.unfinished() > b.second.unfinished();
  });
  std::vector<proto::ExecId> holders;
  std::map<proto::ExecId, storage::SubtaskCounts> by_node;
  std::int32_t num_keeping = 0;
  known.holders.clear();
  for (const auto& [exec_id, count] : counts) {
    by_node[exec_id] = count;
    known.holders.insert(exec_id);
    const auto fitness = round.placement.fitnessOf(exec_id, task);
    if (fitness == Fitness::kFits) holders.push_back(exec_id);
    if (fitness == Fitness::kKeeps) ++num_keeping;
    if (fitness == Fitness::kLeaves && count.pending > 0) leavers.push_back(exec_id);
  }
  // Nodes that keep theirs are nodes of the task, too.
  auto limited = task;
  if (task.max_nodes > 0) limited.max_nodes = task.max_nodes - num_keeping;
  std::vector<proto::ExecId> chosen;
  if (task.max_nodes <= 0 || limited.max_nodes > 0) chosen = round.placement.eligible(limited, holders);
  std::vector<NodeLoad> nodes;
  for (const auto& exec_id : chosen) {
    const auto count = by_node.find(exec_id);
    const auto has = count == by_node.end() ? storage::SubtaskCounts{} : count->second;
    const auto* node = round.placement.find(exec_id);
    nodes.push_back({exec_id, has.pending, has.running, node->slots, !known.refused.contains(exec_id)});
  }
  // Beyond the limit: not while some node cannot run the task's rows, since these may need one more.
  if (!nodes.empty() && known.refused.empty()) {
    for (const auto& exec_id : holders) {
      const bool stays = std::find(chosen.begin(), chosen.end(), exec_id) != chosen.end();
      if (!stays && by_node[exec_id].pending > 0) leavers.push_back(exec_id);
    }
  }
  known.skew = skewOf(nodes);
  for (const auto& exec_id : leavers) known.skew = std::max(known.skew, by_node[exec_id].pending);
  return nodes;
}

const std::set<proto::ExecId>& SubtaskMover::holdersOf(proto::TaskId id) const {
  static const std::set<proto::ExecId> none;
  const auto known = known_.find(id);
  return known == known_.end() ? none : known->second.holders;
}

BalanceFigures SubtaskMover::figures() const {
  BalanceFigures figures;
  figures.moved = num_moved_;
  for (const auto& [id, known] : known_) {
    if (known.skew <= figures.skew) continue;
    figures.skew = known.skew;
    figures.task = id;
  }
  return figures;
}

bool SubtaskMover::moveHandedBack(Round& round, const proto::TaskBase& task, Known& known) {
  if (round.without_handed_back.contains(task.id)) return false;
  const auto handed_back = table_.getHandedBack(round.call(), task.id, kRowsPerMove);
  if (handed_back.empty()) return false;
  // Any node that fits may take it; the limit on nodes must not fail what one more node could run.
  auto any = task;
  any.max_nodes = 0;
  std::map<proto::ExecId, std::int64_t> load;
  for (const auto& exec_id : round.placement.eligible(any)) load[exec_id] = 0;
  std::vector<SubtaskMove> moves;
  bool changed = false;
  for (const auto& entry : handed_back) {
    known.refused.insert(entry.by.begin(), entry.by.end());
    const auto* best = static_cast<const std::pair<const proto::ExecId, std::int64_t>*>(nullptr);
    for (const auto& node : load) {
      const bool refused = std::find(entry.by.begin(), entry.by.end(), node.first) != entry.by.end();
      if (!refused && node.first != entry.subtask.exec_id && (best == nullptr || node.second < best->second))
        best = &node;
    }
    if (best != nullptr) {
      moves.push_back({entry.subtask.id, entry.subtask.exec_id, best->first});
      ++load[best->first];
      continue;
    }
    const auto text = "no node could run it: " + entry.error;
    changed = table_.failPendingSubtask(round.call(), round.owner, entry.subtask.id, text) || changed;
    log(Level::kWarn, "subtask failed: no node could run it", {{"task_id", task.id}, {"subtask_id", entry.subtask.id}});
  }
  return write(round, moves) > 0 || changed;
}

bool SubtaskMover::moveOff(
    Round& round,
    const proto::TaskBase& task,
    Known& known,
    const std::vector<proto::ExecId>& leavers,
    std::vector<NodeLoad>& receivers
) {
  // Those that have handed back subtasks of this task only when there is nobody else.
  if (std::any_of(receivers.begin(), receivers.end(), [](const auto& node) { return node.may_receive; })) {
    std::erase_if(receivers, [](const auto& node) { return !node.may_receive; });
  }
  if (receivers.empty()) {
    if (!known.has_logged_no_place) {
      log(Level::kWarn,
          "pending subtasks wait for a node",
          {{"task_id", task.id}, {"nodes", leavers.size()}, {"reason", round.placement.whyNone(task)}});
    }
    known.has_logged_no_place = true;
    return false;
  }
  known.has_logged_no_place = false;
  std::int64_t all = 0;
  bool is_done = true;
  for (const auto& exec_id : leavers) {
    std::int64_t moved = 0;
    for (int i = 0; i < kMovesPerRound; ++i) {
      const auto rows = table_.getPendingSubtasksOfNode(round.call(), task.id, exec_id, kRowsPerMove);
      const auto places = spread(receivers, rows.size());
      std::vector<SubtaskMove> moves;
      moves.reserve(rows.size());
      for (std::size_t r = 0; r < rows.size(); ++r) {
        moves.push_back({rows[r].id, exec_id, places[r]});
        std::find_if(receivers.begin(), receivers.end(), [&](const auto& node) {
          return node.exec_id == places[r];
        })->pending++;
      }
      moved += write(round, moves);
      is_done = rows.size() < kRowsPerMove;
      if (is_done) break;
    }
    log(Level::kInfo,
        "pending subtasks moved off a node",
        {{"task_id", task.id}, {"exec_id", exec_id}, {"count", moved}, {"nodes", receivers.size()}});
    all += moved;
  }
  if (!is_done) known.next_count = known.may_count = {};
  return all > 0;
}

bool SubtaskMover::balance(Round& round, const proto::TaskBase& task, const std::vector<NodeLoad>& nodes) {
  std::int64_t all = 0;
  // One transaction for what many nodes give: a node that joined gets a few rows of each. What is not written yet would
  // be read again, so a node's rows are read once, for all whom it gives to.
  std::vector<SubtaskMove> moves;
  for (const auto& [from, receivers] : receiversByGiver(planBalance(nodes, kRowsPerMove * kMovesPerRound))) {
    std::size_t given = 0;
    while (given < receivers.size()) {
      const auto room = kRowsPerMove - moves.size();
      const auto wanted = std::min(receivers.size() - given, room);
      const auto rows = table_.getPendingSubtasksOfNode(round.call(), task.id, from, static_cast<std::int32_t>(wanted));
      for (const auto& row : rows) moves.push_back({row.id, from, receivers[given++]});
      if (moves.size() == kRowsPerMove) all += write(round, std::exchange(moves, {}));
      if (rows.size() < wanted) break;  // it has started them meanwhile
    }
  }
  all += write(round, moves);
  if (all > 0) log(Level::kDebug, "pending subtasks balanced", {{"task_id", task.id}, {"count", all}});
  return all > 0;
}

std::int64_t SubtaskMover::write(Round& round, const std::vector<SubtaskMove>& moves) {
  if (moves.empty()) return 0;
  const auto moved = table_.movePendingSubtasks(round.call(), round.owner, moves);
  num_moved_ += moved;
  std::set<proto::ExecId> receivers;
  for (const auto& move : moves) receivers.insert(move.to);
  if (moved > 0) round.nudge({receivers.begin(), receivers.end()});
  return moved;
}

}  // namespace disttask::scheduler
