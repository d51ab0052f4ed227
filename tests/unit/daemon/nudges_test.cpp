#include "nudges.hpp"

#include <catch2/catch.hpp>

using disttask::app::Nudges;

TEST_CASE("A datagram wakes a node or its scheduler role only with the token of its present life") {
  CHECK(Nudges::read(Nudges::textOf(4711), 4711, true) == Nudges::Wakes::kAll);
  CHECK(Nudges::read(Nudges::textOf(4711), 4711, false) == Nudges::Wakes::kAll);
  CHECK(Nudges::read(Nudges::ownerTextOf(4711), 4711, true) == Nudges::Wakes::kOwner);
  CHECK(Nudges::read(Nudges::ownerTextOf(4711), 4711, false) == Nudges::Wakes::kLook);
  for (const auto* text :
       {"", "nudge", "nudge:", "nudge:471", "nudge:47110", "nudge:4711 ", "owner:4712", "4711", "other:4711"}) {
    CAPTURE(text);
    CHECK(Nudges::read(text, 4711, true) == Nudges::Wakes::kNothing);
  }
}
