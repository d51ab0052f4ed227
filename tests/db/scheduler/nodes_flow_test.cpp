// What the owner does when nodes come, go, and are cordoned or drained.
#include "flow_cluster.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;

namespace {

using Counts = std::map<std::string, int>;

void wish(Cluster& cluster, const std::string& node, proto::WantedState wanted) {
  REQUIRE(cluster.nodes().setWish(SchedulerFixture::call(), node, {wanted, std::nullopt, ""}));
}

}  // namespace

TEST_CASE(
    "A plan leaves a draining planner, from its cursor, and stays where there is no other", "[db][scheduler][flow]"
) {
  Cluster cluster({"a"});
  const auto id = cluster.addTask("t").id;
  cluster.plans_go_on = false;
  REQUIRE(cluster.turnUntil([&] { return cluster.plans().getPlansOf(SchedulerFixture::call(), "a").size() == 1; }));
  cluster.planOn("a");
  REQUIRE(cluster.rows(id).size() == 4);  // the first of two batches
  wish(cluster, "a", proto::WantedState::kDraining);
  for (int i = 0; i < 3; ++i) cluster.turn();
  REQUIRE(cluster.plans().getPlansOf(SchedulerFixture::call(), "a").size() == 1);
  cluster.alive.emplace_back("b");
  cluster.addNode("b");
  REQUIRE(cluster.turnUntil([&] { return cluster.plans().getPlansOf(SchedulerFixture::call(), "b").size() == 1; }));
  CHECK(cluster.plans().getPlansOf(SchedulerFixture::call(), "a").empty());
  cluster.planOn("b");
  CHECK(cluster.rows(id).size() == 8);
  REQUIRE(cluster.turnUntil([&] { return cluster.countBy(id, "pending")["a"] == 0; }));
  CHECK(cluster.countBy(id, "pending") == Counts{{"b", 8}});
}

TEST_CASE("A node that takes part again gets its share of what waits", "[db][scheduler][flow]") {
  Cluster cluster({"a", "b"});
  const auto id = cluster.addTask("t").id;
  wish(cluster, "a", proto::WantedState::kDraining);
  REQUIRE(cluster.turnUntil([&] { return cluster.countBy(id, "pending") == Counts{{"b", 8}}; }));
  wish(cluster, "a", proto::WantedState::kNormal);
  REQUIRE(cluster.turnUntil([&] { return cluster.countBy(id, "pending") == Counts{{"a", 4}, {"b", 4}}; }));
}
