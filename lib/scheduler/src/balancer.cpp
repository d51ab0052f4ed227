#include "disttask/scheduler/balancer.hpp"

#include <algorithm>
#include <map>
#include <queue>
#include <utility>

namespace disttask::scheduler {

namespace {

/// What a node's n-th row costs: how full it makes the node. The first one costs nothing, so that no node is without
/// work while another has some that waits, however few slots it has.
struct Cost {
  std::int64_t rows = 0;
  std::int64_t weight = 1;
  friend bool operator<(const Cost& a, const Cost& b) noexcept { return a.rows * b.weight < b.rows * a.weight; }
};

Cost costOf(const NodeLoad& node, std::int64_t rows) {
  return {rows <= 1 ? 0 : rows, std::max<std::int64_t>(1, node.weight)};
}

struct Entry {
  Cost cost;
  std::size_t node;
};
/// Equal ones go by the order of the nodes.
struct CheapestFirst {
  bool operator()(const Entry& a, const Entry& b) const noexcept {
    return a.cost < b.cost || b.cost < a.cost ? b.cost < a.cost : a.node > b.node;
  }
};
struct DearestFirst {
  bool operator()(const Entry& a, const Entry& b) const noexcept {
    return a.cost < b.cost || b.cost < a.cost ? a.cost < b.cost : a.node > b.node;
  }
};
template <typename Order>
using Queue = std::priority_queue<Entry, std::vector<Entry>, Order>;

}  // namespace

std::vector<Transfer> planBalance(std::vector<NodeLoad> nodes, std::int64_t max_moves) {
  Queue<CheapestFirst> receivers;
  Queue<DearestFirst> givers;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].may_receive) receivers.push({costOf(nodes[i], nodes[i].total() + 1), i});
    if (nodes[i].pending > 0) givers.push({costOf(nodes[i], nodes[i].total()), i});
  }
  // The dearest row that can move goes to where it is cheapest, while that is cheaper. What is dearest only falls, so
  // nobody who has given gets anything, or the other way round: no row moves twice, and none without need.
  std::map<std::pair<std::size_t, std::size_t>, std::int64_t> moves;
  for (std::int64_t moved = 0; moved < max_moves && !receivers.empty() && !givers.empty(); ++moved) {
    const auto from = givers.top();
    const auto to = receivers.top();
    if (!(to.cost < from.cost)) break;
    givers.pop();
    receivers.pop();
    ++moves[{from.node, to.node}];
    auto& giver = nodes[from.node];
    auto& receiver = nodes[to.node];
    ++receiver.pending;
    receivers.push({costOf(receiver, receiver.total() + 1), to.node});
    if (--giver.pending > 0) givers.push({costOf(giver, giver.total()), from.node});
  }
  std::vector<Transfer> transfers;
  transfers.reserve(moves.size());
  for (const auto& [pair, count] : moves) {
    transfers.push_back({nodes[pair.first].exec_id, nodes[pair.second].exec_id, count});
  }
  return transfers;
}

std::vector<proto::ExecId> spread(std::vector<NodeLoad> nodes, std::size_t count) {
  Queue<CheapestFirst> loads;
  for (std::size_t i = 0; i < nodes.size(); ++i) loads.push({costOf(nodes[i], nodes[i].total() + 1), i});
  std::vector<proto::ExecId> places;
  if (loads.empty()) return places;
  places.reserve(count);
  while (places.size() < count) {
    const auto at = loads.top().node;
    loads.pop();
    places.push_back(nodes[at].exec_id);
    ++nodes[at].pending;
    loads.push({costOf(nodes[at], nodes[at].total() + 1), at});
  }
  return places;
}

std::int64_t skewOf(const std::vector<NodeLoad>& nodes) {
  std::int64_t rows = 0;
  std::int64_t weights = 0;
  for (const auto& node : nodes) {
    rows += node.total();
    weights += std::max<std::int64_t>(1, node.weight);
  }
  std::int64_t skew = 0;
  for (const auto& node : nodes) {
    const auto share = (rows * std::max<std::int64_t>(1, node.weight) + weights - 1) / weights;
    skew = std::max(skew, node.total() - share);
  }
  return skew;
}

}  // namespace disttask::scheduler
