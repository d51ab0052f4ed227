#include "disttask/proto/eligibility.hpp"

#include <catch2/catch.hpp>

using namespace disttask::proto;

namespace {

Node makeNode(const std::string& role = "disttask") {
  Node node;
  node.exec_id = "a";
  node.life = Life(1);
  node.types = {{"demo", "1"}};
  node.role = role;
  node.slots = 4;
  node.has_meta_row = true;
  return node;
}

TaskBase makeTask(const std::string& scope = "disttask") {
  TaskBase task;
  task.type = "demo";
  task.slots = 2;
  task.target_scope = scope;
  return task;
}

/// A node with nothing for it at all, and after each step one obstacle less.
std::vector<Node> approach() {
  Node node;
  node.exec_id = "a";
  node.role = "elsewhere";
  node.slots = 1;
  node.wanted = WantedState::kDraining;
  std::vector<Node> nodes = {node};
  const auto step = [&](auto change) {
    change(node);
    nodes.push_back(node);
  };
  step([](Node& n) { n.life = Life(7); });
  step([](Node& n) { n.types = {{"demo", "1"}}; });
  step([](Node& n) { n.has_meta_row = true; });
  step([](Node& n) { n.role = "disttask"; });
  step([](Node& n) { n.slots = 2; });
  step([](Node& n) { n.wanted = WantedState::kNormal; });
  return nodes;
}

}  // namespace

TEST_CASE("A node that lives in scope with the type and the slots may get subtasks", "[proto][eligibility]") {
  CHECK(obstacleFor(makeNode(), makeTask(), false) == Obstacle::kNone);
  auto exact = makeNode();
  exact.slots = 2;
  CHECK(obstacleFor(exact, makeTask(), false) == Obstacle::kNone);
  exact.slots = 1;
  CHECK(obstacleFor(exact, makeTask(), false) == Obstacle::kTooFewSlots);
}

TEST_CASE("Of several obstacles the first in order is told", "[proto][eligibility]") {
  const auto nodes = approach();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    CHECK(obstacleFor(nodes[i], makeTask(), false) == static_cast<Obstacle>(i));
  }
  CHECK(obstacleFor(nodes.back(), makeTask(), false) == Obstacle::kNone);
}

TEST_CASE("Cordoned and draining nodes get nothing more", "[proto][eligibility]") {
  auto node = makeNode();
  node.wanted = WantedState::kCordoned;
  CHECK(obstacleFor(node, makeTask(), false) == Obstacle::kNotWanted);
  node.wanted = WantedState::kDraining;
  CHECK(obstacleFor(node, makeTask(), false) == Obstacle::kNotWanted);
}

TEST_CASE("The empty scope means the background nodes where there are any", "[proto][eligibility]") {
  CHECK(obstacleFor(makeNode(""), makeTask(""), false) == Obstacle::kNone);
  CHECK(obstacleFor(makeNode(""), makeTask(""), true) == Obstacle::kOutOfScope);
  CHECK(obstacleFor(makeNode("background"), makeTask(""), true) == Obstacle::kNone);
  CHECK(obstacleFor(makeNode("background"), makeTask("disttask"), true) == Obstacle::kOutOfScope);
}

TEST_CASE("Only a registered node makes the empty scope mean background", "[proto][eligibility]") {
  auto node = makeNode("background");
  CHECK(hasBackgroundNode({makeNode(), node}));
  node.has_meta_row = false;
  CHECK_FALSE(hasBackgroundNode({makeNode(), node}));
  CHECK_FALSE(hasBackgroundNode({}));
}

TEST_CASE("The reason why no node gets subtasks is that of the node that came nearest", "[proto][eligibility]") {
  const auto nodes = approach();
  const auto whyOf = [&](std::size_t count) {
    return whyNoNode({nodes.begin(), nodes.begin() + static_cast<std::ptrdiff_t>(count)}, makeTask());
  };
  CHECK(whyOf(0) == "no node is alive");
  CHECK(whyOf(1) == "no node is alive");
  CHECK(whyOf(2) == "no live node offers type 'demo'");
  CHECK(whyOf(3) == "no live node that offers type 'demo' is in scope 'disttask'");
  CHECK(whyOf(4) == "no live node that offers type 'demo' is in scope 'disttask'");
  CHECK(whyOf(5) == "no live node in scope has 2 slots");
  CHECK(whyOf(6) == "all live nodes that could run it are cordoned or draining");
}
