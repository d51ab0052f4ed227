#include "disttask/scheduler/balancer.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <utility>

namespace disttask::scheduler {

namespace {

/// (load, index): equal loads go by the order of the nodes.
using Load = std::pair<std::int64_t, std::size_t>;
using LeastFirst = std::priority_queue<Load, std::vector<Load>, std::greater<>>;

}  // namespace

std::vector<Transfer> planBalance(std::vector<NodeLoad> nodes, std::int64_t max_moves) {
  LeastFirst idle;
  const auto less_loaded = [](const Load& a, const Load& b) {
    return a.first != b.first ? a.first < b.first : a.second > b.second;
  };
  std::priority_queue<Load, std::vector<Load>, decltype(less_loaded)> givers(less_loaded);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].total() == 0 && nodes[i].may_receive) idle.emplace(0, i);
    if (nodes[i].pending >= 2) givers.emplace(nodes[i].total(), i);
  }
  std::map<std::pair<std::size_t, std::size_t>, std::int64_t> moves;
  for (std::int64_t moved = 0; moved < max_moves && !idle.empty() && !givers.empty(); ++moved) {
    const auto [most, from] = givers.top();
    const auto [least, to] = idle.top();
    if (most - least < 2) break;
    givers.pop();
    idle.pop();
    ++moves[{from, to}];
    if (--nodes[from].pending > 0) givers.emplace(most - 1, from);
    idle.emplace(least + 1, to);
  }
  std::vector<Transfer> transfers;
  transfers.reserve(moves.size());
  for (const auto& [pair, count] : moves) {
    transfers.push_back({nodes[pair.first].exec_id, nodes[pair.second].exec_id, count});
  }
  return transfers;
}

std::vector<proto::ExecId> spread(std::vector<NodeLoad> nodes, std::size_t count) {
  LeastFirst loads;
  for (std::size_t i = 0; i < nodes.size(); ++i) loads.emplace(nodes[i].total(), i);
  std::vector<proto::ExecId> places;
  if (loads.empty()) return places;
  places.reserve(count);
  while (places.size() < count) {
    const auto [load, node] = loads.top();
    loads.pop();
    places.push_back(nodes[node].exec_id);
    loads.emplace(load + 1, node);
  }
  return places;
}

}  // namespace disttask::scheduler
