#include "disttask/scheduler/balancer.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

using namespace disttask::scheduler;

namespace {

using Transfers = std::vector<Transfer>;

std::vector<NodeLoad> carryOut(std::vector<NodeLoad> nodes, const Transfers& transfers) {
  const auto find = [&](const std::string& id) -> NodeLoad& {
    return *std::find_if(nodes.begin(), nodes.end(), [&](const auto& node) { return node.exec_id == id; });
  };
  for (const auto& transfer : transfers) {
    REQUIRE(transfer.count > 0);
    REQUIRE(find(transfer.to).may_receive);
    find(transfer.from).pending -= transfer.count;
    find(transfer.to).pending += transfer.count;
  }
  for (const auto& node : nodes) REQUIRE(node.pending >= 0);
  return nodes;
}

/// No pending row would fill another node less than its own, where a node's first row always comes first.
bool isFair(const std::vector<NodeLoad>& nodes) {
  const auto rows = [](std::int64_t n) { return n <= 1 ? 0 : n; };
  for (const auto& giver : nodes) {
    for (const auto& receiver : nodes) {
      if (giver.pending == 0 || !receiver.may_receive || &giver == &receiver) continue;
      if (rows(receiver.total() + 1) * giver.weight < rows(giver.total()) * receiver.weight) return false;
    }
  }
  return true;
}

std::int64_t movesBetween(const std::vector<NodeLoad>& before, const std::vector<NodeLoad>& after) {
  std::int64_t moves = 0;
  for (std::size_t i = 0; i < before.size(); ++i)
    moves += std::max<std::int64_t>(0, before[i].pending - after[i].pending);
  return moves;
}

/// Of three nodes, by trying every placement.
std::int64_t fewestMoves(const std::vector<NodeLoad>& nodes) {
  const auto all = nodes[0].pending + nodes[1].pending + nodes[2].pending;
  auto fewest = all + 1;
  for (std::int64_t a = 0; a <= all; ++a) {
    for (std::int64_t b = 0; a + b <= all; ++b) {
      auto tried = nodes;
      tried[0].pending = a;
      tried[1].pending = b;
      tried[2].pending = all - a - b;
      bool allowed = true;
      for (std::size_t i = 0; i < 3; ++i) {
        allowed = allowed && (nodes[i].may_receive || tried[i].pending <= nodes[i].pending);
      }
      if (allowed && isFair(tried)) fewest = std::min(fewest, movesBetween(nodes, tried));
    }
  }
  return fewest;
}

std::string describe(const std::vector<NodeLoad>& nodes) {
  std::string text;
  for (const auto& node : nodes) {
    text += std::to_string(node.pending) + "+" + std::to_string(node.running) + "/" + std::to_string(node.weight) +
            (node.may_receive ? " " : "! ");
  }
  return text;
}

}  // namespace

TEST_CASE("An idle node gets half of the difference", "[scheduler][balancer]") {
  CHECK(planBalance({{"a", 10, 0}, {"b", 0, 0}}, 1000) == Transfers{{"a", "b", 5}});
  CHECK(planBalance({{"a", 9, 0}, {"b", 0, 0}}, 1000) == Transfers{{"a", "b", 4}});
  CHECK(planBalance({{"a", 2, 0}, {"b", 0, 0}}, 1000) == Transfers{{"a", "b", 1}});
}

TEST_CASE("Only pending rows move, but running ones count", "[scheduler][balancer]") {
  CHECK(planBalance({{"a", 2, 8}, {"b", 0, 0}}, 1000) == Transfers{{"a", "b", 2}});
  CHECK(planBalance({{"a", 4, 2}, {"b", 0, 0}}, 1000) == Transfers{{"a", "b", 3}});
}

TEST_CASE("Nothing moves without need", "[scheduler][balancer]") {
  CHECK(planBalance({}, 1000).empty());
  CHECK(planBalance({{"a", 100, 0}}, 1000).empty());
  CHECK(planBalance({{"a", 2, 0}, {"b", 1, 0}}, 1000).empty());
  CHECK(planBalance({{"a", 1, 0}, {"b", 2, 0}}, 1000).empty());
  CHECK(planBalance({{"a", 2, 0}, {"b", 1, 0}, {"c", 1, 0}}, 1000).empty());
  CHECK(planBalance({{"a", 1, 0}, {"b", 0, 0}}, 1000).empty());  // one row is a's to run
  CHECK(planBalance({{"a", 0, 9}, {"b", 0, 0}}, 1000).empty());
  CHECK(planBalance({{"a", 100, 0}, {"b", 0, 0, 1, false}}, 1000).empty());  // b has handed some back
}

TEST_CASE("Uneven rows move as few as needed", "[scheduler][balancer]") {
  CHECK(planBalance({{"a", 1, 0}, {"b", 3, 1}}, 1000) == Transfers{{"b", "a", 1}});  // 2:3
  CHECK(planBalance({{"a", 5, 0}, {"b", 0, 0}, {"c", 0, 0}}, 1000) == Transfers{{"a", "b", 2}, {"a", "c", 1}});
  CHECK(planBalance({{"a", 0, 0}, {"b", 4, 0}, {"c", 0, 0}}, 1000) == Transfers{{"b", "a", 1}, {"b", "c", 1}});
}

TEST_CASE("Larger nodes take more, and none is idle while rows wait", "[scheduler][balancer]") {
  CHECK(planBalance({{"a", 12, 0, 8}, {"b", 0, 0, 4}}, 1000) == Transfers{{"a", "b", 4}});
  CHECK(planBalance({{"a", 8, 0, 8}, {"b", 4, 0, 4}}, 1000).empty());
  CHECK(planBalance({{"a", 1, 1, 16}, {"b", 0, 0, 1}}, 1000) == Transfers{{"a", "b", 1}});
  CHECK(planBalance({{"a", 0, 1, 16}, {"b", 1, 0, 1}}, 1000).empty());  // and there it stays
}

TEST_CASE("Several idle nodes share evenly, several givers give evenly", "[scheduler][balancer]") {
  CHECK(
      planBalance({{"a", 40, 0}, {"b", 0, 0}, {"c", 0, 0}, {"d", 0, 0}}, 1000) ==
      Transfers{{"a", "b", 10}, {"a", "c", 10}, {"a", "d", 10}}
  );
  CHECK(planBalance({{"a", 10, 0}, {"b", 10, 0}, {"c", 0, 0}}, 1000) == Transfers{{"a", "c", 3}, {"b", "c", 3}});
}

TEST_CASE(
    "A balance leaves no node fuller than need be and moves no row more than that takes", "[scheduler][balancer]"
) {
  // Against all ways to place the rows, for small numbers.
  std::mt19937 random(20240229);
  const auto draw = [&](int below) { return static_cast<std::int64_t>(random() % static_cast<unsigned>(below)); };
  for (int round = 0; round < 3000; ++round) {
    std::vector<NodeLoad> nodes;
    for (const auto* id : {"a", "b", "c"}) {
      nodes.push_back({id, draw(6), draw(3), round % 2 == 0 ? 1 : 1 + draw(4), draw(5) > 0});
    }
    const auto after = carryOut(nodes, planBalance(nodes, 1000));
    INFO(describe(nodes) << " became " << describe(after));
    REQUIRE(isFair(after));
    REQUIRE(movesBetween(nodes, after) == fewestMoves(nodes));
    REQUIRE(planBalance(after, 1000).empty());
    if (round % 2 == 0) {
      // Equal nodes differ by one row at most, as far as rows can move.
      for (const auto& giver : after) {
        for (const auto& receiver : after) {
          if (giver.pending > 0 && receiver.may_receive) REQUIRE(giver.total() - receiver.total() <= 1);
        }
      }
    }
  }
}

TEST_CASE("The skew is what the fullest node has above its share", "[scheduler][balancer]") {
  CHECK(skewOf({}) == 0);
  CHECK(skewOf({{"a", 3, 0}, {"b", 2, 0}}) == 0);
  CHECK(skewOf({{"a", 10, 0}, {"b", 0, 0}}) == 5);
  CHECK(skewOf({{"a", 2, 8}, {"b", 0, 0}}) == 5);
  CHECK(skewOf({{"a", 8, 0, 8}, {"b", 4, 0, 4}}) == 0);
  CHECK(skewOf({{"a", 6, 0, 8}, {"b", 6, 0, 4}}) == 2);
}

TEST_CASE("A balance keeps to its limit", "[scheduler][balancer]") {
  CHECK(planBalance({{"a", 100'000, 0}, {"b", 0, 0}}, 1000) == Transfers{{"a", "b", 1000}});
}

TEST_CASE("Rows are spread over the nodes that have least", "[scheduler][balancer]") {
  using Places = std::vector<std::string>;
  CHECK(spread({}, 5).empty());
  CHECK(spread({{"a", 0, 0}, {"b", 0, 0}}, 4) == Places{"a", "b", "a", "b"});
  CHECK(spread({{"a", 2, 1}, {"b", 0, 0}}, 4) == Places{"b", "b", "b", "a"});
  CHECK(spread({{"a", 5, 0}}, 2) == Places{"a", "a"});
  CHECK(spread({{"a", 0, 0, 2}, {"b", 0, 0, 1}}, 6) == Places{"a", "b", "a", "a", "a", "b"});
}
