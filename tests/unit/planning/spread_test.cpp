#include "disttask/planning/spread.hpp"

#include <catch2/catch.hpp>

#include <map>

using namespace disttask;
using namespace disttask::planning;
using Catch::Matchers::Contains;

namespace {

proto::Node node(const std::string& exec_id, std::int32_t slots = 1) {
  proto::Node made;
  made.exec_id = exec_id;
  made.life = proto::Life(1);
  made.slots = slots;
  made.role = "disttask";
  made.has_meta_row = true;
  made.types = {{"t", "1"}};
  return made;
}

proto::TaskBase task() {
  proto::TaskBase made;
  made.type = "t";
  made.target_scope = "disttask";
  return made;
}

std::string idsOf(const std::vector<proto::Node>& nodes) {
  std::string ids;
  for (const auto& each : nodes) ids += each.exec_id;
  return ids;
}

std::string turn(const Spread& spread, std::int32_t from, std::int32_t to) {
  std::string text;
  for (auto ordinal = from; ordinal <= to; ++ordinal) text += spread.nodeOf(ordinal);
  return text;
}

}  // namespace

TEST_CASE("Only live nodes in scope that offer the type and have the slots are eligible", "[planning][spread]") {
  std::vector<proto::Node> nodes;
  for (const auto* id : {"g", "f", "e", "d", "c", "b", "a"}) nodes.push_back(node(id));
  nodes[0].life = proto::Life();
  nodes[1].wanted = proto::WantedState::kCordoned;
  nodes[2].types.clear();
  nodes[3].role = "other";
  nodes[4].has_meta_row = false;
  CHECK(idsOf(eligibleNodes(nodes, task())) == "ab");
  auto wide = task();
  wide.slots = 2;
  nodes[6].slots = 2;
  CHECK(idsOf(eligibleNodes(nodes, wide)) == "a");
  auto limited = task();
  limited.max_nodes = 1;
  CHECK(idsOf(eligibleNodes(nodes, limited)) == "a");
}

TEST_CASE("An empty scope means background nodes where there are any", "[planning][spread]") {
  auto plain = node("a");
  plain.role = "";
  auto background = node("b");
  background.role = "background";
  auto anywhere = task();
  anywhere.target_scope = "";
  CHECK(idsOf(eligibleNodes({plain}, anywhere)) == "a");
  CHECK(idsOf(eligibleNodes({plain, background}, anywhere)) == "b");
}

TEST_CASE(
    "Subtasks go to nodes in turn, weighted by slots, and batches go on where the last one ended", "[planning][spread]"
) {
  const Spread even({node("a"), node("b"), node("c")});
  CHECK(turn(even, 1, 6) == "abcabc");
  CHECK(turn(even, 5, 6) == "bc");
  const Spread weighted({node("a", 4), node("b", 2)});
  CHECK(turn(weighted, 1, 6) == "abaaba");
  const Spread same({node("a", 8), node("b", 8)});
  CHECK(turn(same, 1, 4) == "abab");
}

namespace {

/// Where twelve subtasks of a task of this scope go, as a set of nodes with their numbers.
std::map<std::string, int> placesOf(const std::vector<proto::Node>& nodes, const std::string& scope) {
  auto wanted = task();
  wanted.target_scope = scope;
  const auto fitting = eligibleNodes(nodes, wanted);
  std::map<std::string, int> places;
  if (fitting.empty()) return places;
  const Spread spread(fitting);
  for (std::int32_t ordinal = 1; ordinal <= 12; ++ordinal) ++places[spread.nodeOf(ordinal)];
  return places;
}

using Places = std::map<std::string, int>;

}  // namespace

TEST_CASE("Where no node has a scope, subtasks of the empty scope go to every node", "[planning][spread]") {
  std::vector<proto::Node> nodes{node("a"), node("b"), node("c")};
  for (auto& each : nodes) each.role.clear();
  CHECK(placesOf(nodes, "") == Places{{"a", 4}, {"b", 4}, {"c", 4}});
}

TEST_CASE(
    "One background node gets all subtasks of the empty scope and of its own, two share them", "[planning][spread]"
) {
  std::vector<proto::Node> nodes{node("a"), node("b"), node("c")};
  for (auto& each : nodes) each.role.clear();
  nodes[1].role = "background";
  CHECK(placesOf(nodes, "") == Places{{"b", 12}});
  CHECK(placesOf(nodes, "background") == Places{{"b", 12}});
  nodes[2].role = "background";
  CHECK(placesOf(nodes, "") == Places{{"b", 6}, {"c", 6}});
  CHECK(placesOf(nodes, "background") == Places{{"b", 6}, {"c", 6}});
}

TEST_CASE("A scope is any text and is matched exactly", "[planning][spread]") {
  std::vector<proto::Node> nodes{node("a"), node("b"), node("c")};
  nodes[0].role = "Süd 7";
  nodes[1].role = "süd 7";
  CHECK(placesOf(nodes, "Süd 7") == Places{{"a", 12}});
  CHECK(placesOf(nodes, "Süd").empty());
  CHECK(placesOf(nodes, "disttask") == Places{{"c", 12}});
}
