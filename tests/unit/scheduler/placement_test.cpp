#include "disttask/scheduler/placement.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::scheduler;

namespace {

proto::Node makeNode(const std::string& exec_id) {
  proto::Node node;
  node.exec_id = exec_id;
  node.life = proto::Life(1);
  node.types = {{"demo", "1"}};
  node.role = "disttask";
  node.slots = 4;
  node.has_meta_row = true;
  return node;
}

proto::TaskBase makeTask() {
  proto::TaskBase task;
  task.id = proto::TaskId(1);
  task.type = "demo";
  task.slots = 2;
  task.target_scope = "disttask";
  return task;
}

template <typename F>
Fitness fitness(F change) {
  auto node = makeNode("a");
  change(node);
  return Placement({node}).fitnessOf("a", makeTask());
}

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("A node fits when it lives in scope with the type and the slots", "[scheduler][placement]") {
  CHECK(fitness([](auto&) {}) == Fitness::kFits);
  CHECK(fitness([](auto& n) { n.slots = 2; }) == Fitness::kFits);
}

TEST_CASE("Pending rows leave a node that can not or may not run them", "[scheduler][placement]") {
  CHECK(fitness([](auto& n) { n.life = proto::Life(); }) == Fitness::kLeaves);
  CHECK(fitness([](auto& n) { n.types = {{"other", "1"}}; }) == Fitness::kLeaves);
  CHECK(fitness([](auto& n) { n.role = "elsewhere"; }) == Fitness::kLeaves);
  CHECK(fitness([](auto& n) { n.slots = 1; }) == Fitness::kLeaves);
  CHECK(fitness([](auto& n) { n.wanted = proto::WantedState::kDraining; }) == Fitness::kLeaves);
  CHECK(Placement().fitnessOf("nobody", makeTask()) == Fitness::kLeaves);
}

TEST_CASE(
    "A cordoned node, and one whose registration is missing for the moment, keep what they have",
    "[scheduler][placement]"
) {
  CHECK(fitness([](auto& n) { n.wanted = proto::WantedState::kCordoned; }) == Fitness::kKeeps);
  CHECK(fitness([](auto& n) {
          n.has_meta_row = false;
          n.role.clear();
          n.slots = 0;
        }) == Fitness::kKeeps);
}

TEST_CASE("The empty scope means background nodes when there are any", "[scheduler][placement]") {
  auto task = makeTask();
  task.target_scope.clear();
  auto plain = makeNode("a");
  plain.role.clear();
  auto background = makeNode("b");
  background.role = "background";
  CHECK(Placement({plain}).eligible(task) == Ids{"a"});
  CHECK(Placement({plain, background}).eligible(task) == Ids{"b"});
}

TEST_CASE("A limit on nodes prefers those that have rows already", "[scheduler][placement]") {
  auto task = makeTask();
  const Placement placement({makeNode("c"), makeNode("a"), makeNode("b")});
  CHECK(placement.eligible(task) == Ids{"a", "b", "c"});
  task.max_nodes = 2;
  CHECK(placement.eligible(task) == Ids{"a", "b"});
  CHECK(placement.eligible(task, {"c"}) == Ids{"a", "c"});
  CHECK(placement.eligible(task, {"b", "c", "gone"}) == Ids{"b", "c"});
  CHECK(placement.eligible(task, {"c", "b", "a"}) == Ids{"b", "c"});  // in their order
}

TEST_CASE("A planner fits and has the fewest open plans", "[scheduler][placement]") {
  const Placement placement({makeNode("a"), makeNode("b")});
  CHECK(placement.choosePlanner(makeTask(), {}, false) == "a");
  CHECK(placement.choosePlanner(makeTask(), {{"a", 2}, {"b", 1}}, false) == "b");
}

TEST_CASE("A node that has missed renewals plans only where nobody else fits", "[scheduler][placement]") {
  const std::map<proto::ExecId, int> open_plans = {{"b", 3}};
  CHECK(Placement({makeNode("a"), makeNode("b")}, {"a"}).choosePlanner(makeTask(), open_plans, false) == "b");
  CHECK(Placement({makeNode("a"), makeNode("b")}, {"a", "b"}).choosePlanner(makeTask(), open_plans, false) == "a");
  auto outside = makeNode("b");
  outside.role = "elsewhere";
  CHECK(Placement({makeNode("a"), outside}, {"a"}).choosePlanner(makeTask(), {}, true) == "a");
}

TEST_CASE("Only a revert may be planned by a node that would get no subtasks", "[scheduler][placement]") {
  auto outside = makeNode("a");
  outside.role = "elsewhere";
  CHECK(Placement({outside}).choosePlanner(makeTask(), {}, false) == std::nullopt);
  CHECK(Placement({outside}).choosePlanner(makeTask(), {}, true) == "a");
  CHECK(Placement({outside, makeNode("b")}).choosePlanner(makeTask(), {{"b", 9}}, true) == "b");
  auto dead = makeNode("a");
  dead.life = proto::Life();
  CHECK(Placement({dead}).choosePlanner(makeTask(), {}, true) == std::nullopt);
}

TEST_CASE("Only a draining node is to be emptied", "[scheduler][placement]") {
  auto draining = makeNode("a");
  draining.wanted = proto::WantedState::kDraining;
  auto cordoned = makeNode("b");
  cordoned.wanted = proto::WantedState::kCordoned;
  const Placement placement({draining, cordoned, makeNode("c")});
  CHECK(placement.isDraining("a"));
  CHECK_FALSE(placement.isDraining("b"));
  CHECK_FALSE(placement.isDraining("c"));
  CHECK_FALSE(placement.isDraining("nobody"));
  CHECK(placement.choosePlanner(makeTask(), {{"c", 5}}, false) == "c");
  CHECK(placement.eligible(makeTask()) == Ids{"c"});
}

TEST_CASE("Waiting has a reason in words", "[scheduler][placement]") {
  auto node = makeNode("a");
  CHECK(Placement().whyNone(makeTask()) == "no node is alive");
  node.types.clear();
  CHECK(Placement({node}).whyNone(makeTask()) == "no live node offers type 'demo'");
  node = makeNode("a");
  node.role = "x";
  CHECK(Placement({node}).whyNone(makeTask()) == "no live node that offers type 'demo' is in scope 'disttask'");
  node = makeNode("a");
  node.slots = 1;
  CHECK(Placement({node}).whyNone(makeTask()) == "no live node in scope has 2 slots");
  node = makeNode("a");
  node.wanted = proto::WantedState::kCordoned;
  CHECK(Placement({node}).whyNone(makeTask()) == "all live nodes that could run it are cordoned or draining");
}

TEST_CASE("The fingerprint changes with what matters for placing, and only then", "[scheduler][placement]") {
  const auto base = Placement({makeNode("a")}).fingerprint();
  auto renewed = makeNode("a");
  renewed.renewals = 99;
  CHECK(Placement({renewed}).fingerprint() == base);
  auto dead = makeNode("a");
  dead.life = proto::Life();
  CHECK(Placement({dead}).fingerprint() != base);
  CHECK(Placement({makeNode("a"), makeNode("b")}).fingerprint() != base);
}
