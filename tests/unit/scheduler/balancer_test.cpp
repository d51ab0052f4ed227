#include "disttask/scheduler/balancer.hpp"

#include <catch2/catch.hpp>

#include <map>

using namespace disttask::scheduler;

namespace {

using Transfers = std::vector<Transfer>;

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
  CHECK(planBalance({{"a", 100, 0}, {"b", 0, 1}}, 1000).empty());  // b is at work
  CHECK(planBalance({{"a", 100, 0}, {"b", 1, 0}}, 1000).empty());
  CHECK(planBalance({{"a", 1, 0}, {"b", 0, 0}}, 1000).empty());  // one row is a's to run
  CHECK(planBalance({{"a", 1, 9}, {"b", 0, 0}}, 1000).empty());
  CHECK(planBalance({{"a", 100, 0}, {"b", 0, 0, false}}, 1000).empty());  // b has handed some back
}

TEST_CASE("Several idle nodes share evenly, several givers give evenly", "[scheduler][balancer]") {
  CHECK(
      planBalance({{"a", 40, 0}, {"b", 0, 0}, {"c", 0, 0}, {"d", 0, 0}}, 1000) ==
      Transfers{{"a", "b", 10}, {"a", "c", 10}, {"a", "d", 10}}
  );
  CHECK(planBalance({{"a", 10, 0}, {"b", 10, 0}, {"c", 0, 0}}, 1000) == Transfers{{"a", "c", 3}, {"b", "c", 3}});
}

TEST_CASE("A balance never gives a node more than the giver keeps", "[scheduler][balancer]") {
  for (std::int64_t pending = 0; pending < 30; ++pending) {
    for (std::int64_t running = 0; running < 6; ++running) {
      const std::vector<NodeLoad> nodes{{"a", pending, running}, {"b", 7, 1}, {"c", 0, 0}, {"d", 0, 0}};
      std::map<std::string, std::int64_t> total;
      std::map<std::string, std::int64_t> still_pending;
      for (const auto& node : nodes) {
        total[node.exec_id] = node.total();
        still_pending[node.exec_id] = node.pending;
      }
      for (const auto& transfer : planBalance(nodes, 1000)) {
        REQUIRE(transfer.count > 0);
        total[transfer.from] -= transfer.count;
        still_pending[transfer.from] -= transfer.count;
        total[transfer.to] += transfer.count;
        REQUIRE(still_pending[transfer.from] >= 0);
        REQUIRE((transfer.to == "c" || transfer.to == "d" || pending + running == 0));
      }
      CHECK(total["c"] + total["d"] + total["a"] + total["b"] == pending + running + 8);
      CHECK(std::max(total["c"], total["d"]) <= std::max(total["a"], total["b"]));
    }
  }
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
}
