#include "disttask/scheduler/slot_reservation.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace disttask;
using scheduler::SlotReservation;

namespace {

using Nodes = std::vector<std::string>;
const Nodes kFour{"a", "b", "c", "d"};

SlotReservation makeReservation(const Nodes& nodes = kFour, std::int32_t slots = 16) {
  SlotReservation reservation;
  for (const auto& node : nodes) reservation.addNode(node, slots);
  return reservation;
}

proto::TaskId id(std::int64_t number) {
  return proto::TaskId(number);
}

}  // namespace

TEST_CASE(
    "Tasks that fit beside each other on every node are all admitted, the next one waits", "[scheduler][reservation]"
) {
  auto reservation = makeReservation();
  for (int i = 1; i <= 4; ++i) CHECK(reservation.admit(id(i), 4, kFour));
  // Whether they have rows yet or not: those may come.
  for (const auto& node : kFour) {
    for (int i = 1; i <= 4; ++i) reservation.noteUse(node, id(i), 4);
  }
  CHECK_FALSE(reservation.admit(id(5), 1, kFour));
}

TEST_CASE(
    "A large task waits while a smaller one of higher rank is on all nodes, and a small one passes it",
    "[scheduler][reservation]"
) {
  auto reservation = makeReservation();
  for (const auto& node : kFour) reservation.noteUse(node, id(1), 8);
  CHECK(reservation.admit(id(1), 8, kFour));
  CHECK_FALSE(reservation.admit(id(2), 16, kFour));
  CHECK(reservation.admit(id(3), 8, kFour));
}

TEST_CASE("A large task gets the nodes that a smaller one of higher rank does not use", "[scheduler][reservation]") {
  auto reservation = makeReservation();
  reservation.noteUse("a", id(1), 8);
  CHECK(reservation.admit(id(1), 8, kFour));
  CHECK(reservation.admit(id(2), 16, kFour));
  // It was sent to b, so c is left for the next.
  CHECK(reservation.admit(id(3), 16, kFour));
  CHECK(reservation.admit(id(4), 16, kFour));
  CHECK_FALSE(reservation.admit(id(5), 16, kFour));
}

TEST_CASE("Rows of lower ranks keep no higher one waiting", "[scheduler][reservation]") {
  auto reservation = makeReservation();
  for (const auto& node : kFour) reservation.noteUse(node, id(2), 16);
  CHECK(reservation.admit(id(1), 8, kFour));
  CHECK(reservation.admit(id(3), 8, kFour));
  // Its own rows are not in its way.
  auto alone = makeReservation();
  for (const auto& node : kFour) alone.noteUse(node, id(2), 16);
  CHECK(alone.admit(id(2), 16, kFour));
}

TEST_CASE("Each node counts with its own slots", "[scheduler][reservation]") {
  SlotReservation reservation;
  reservation.addNode("large", 16);
  reservation.addNode("small", 4);
  const Nodes both{"large", "small"};
  CHECK(reservation.admit(id(1), 4, both));
  CHECK(reservation.admit(id(2), 12, Nodes{"large"}));
  CHECK_FALSE(reservation.admit(id(3), 4, both));
}

TEST_CASE("Without nodes nothing is admitted, and nodes without slots do not count", "[scheduler][reservation]") {
  auto reservation = makeReservation({"a"}, 0);
  CHECK_FALSE(reservation.admit(id(1), 1, {}));
  CHECK_FALSE(reservation.admit(id(1), 1, {"a"}));
  CHECK_FALSE(makeReservation().admit(id(1), 1, {"unknown"}));
}

TEST_CASE(
    "A task without rows may still get them everywhere, one with rows has no others", "[scheduler][reservation]"
) {
  auto reservation = makeReservation();
  CHECK(reservation.admit(id(1), 8, kFour));  // pending
  CHECK_FALSE(reservation.admit(id(2), 16, kFour));
  auto later = makeReservation();
  later.noteUse("c", id(1), 8);
  CHECK(later.admit(id(1), 8, kFour));
  CHECK(later.admit(id(2), 16, kFour));
}

TEST_CASE("Who is refused is told who has the slots, of whatever rank", "[scheduler][reservation]") {
  auto reservation = makeReservation({"a", "b"}, 4);
  reservation.noteUse("b", id(9), 3);
  REQUIRE(reservation.admit(id(1), 3, {"a"}));
  REQUIRE_FALSE(reservation.admit(id(2), 2, {"a", "b"}));
  using Takers = std::map<proto::TaskId, std::int32_t>;
  CHECK(reservation.takersOf("a") == Takers{{id(1), 3}});
  CHECK(reservation.takersOf("b") == Takers{{id(9), 3}});
  CHECK(reservation.takersOf("gone").empty());
  // One that may spread is named also where it has no rows yet.
  reservation = makeReservation({"a", "b"}, 4);
  reservation.noteUse("a", id(1), 3);
  REQUIRE(reservation.admit(id(1), 3, {"a", "b"}));
  CHECK(reservation.takersOf("b") == Takers{{id(1), 3}});
}
