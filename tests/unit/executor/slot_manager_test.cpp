#include "disttask/executor/slot_manager.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::executor;

namespace {
proto::TaskBase task(std::int64_t id, std::int32_t slots, std::int32_t priority = proto::kDefaultPriority) {
  proto::TaskBase base;
  base.id = proto::TaskId(id);
  base.slots = slots;
  base.priority = priority;
  return base;
}
std::vector<std::int64_t> idsOf(const std::vector<proto::TaskBase>& tasks) {
  std::vector<std::int64_t> ids;
  for (const auto& each : tasks) ids.push_back(each.id.value());
  return ids;
}
}  // namespace

TEST_CASE("SlotManager refuses a task of lower rank that does not fit", "[executor][slots]") {
  SlotManager slots(10);
  REQUIRE(slots.alloc(task(1, 1)));
  const auto candidate = task(2, 10);
  CHECK_FALSE(slots.canAlloc(candidate).first);
  CHECK_FALSE(slots.alloc(candidate));
  CHECK(slots.available() == 9);
}

TEST_CASE(
    "SlotManager names the victims of a task of higher rank and allocates only when they are gone", "[executor][slots]"
) {
  SlotManager slots(10);
  REQUIRE(slots.alloc(task(1, 1)));
  const auto candidate = task(2, 10, 1);
  const auto [can, victims] = slots.canAlloc(candidate);
  CHECK(can);
  CHECK(idsOf(victims) == std::vector<std::int64_t>{1});
  CHECK_FALSE(slots.alloc(candidate));
  slots.free(proto::TaskId(1));
  CHECK(slots.alloc(candidate));
}

TEST_CASE("SlotManager allocates free slots to any rank", "[executor][slots]") {
  SlotManager slots(10);
  REQUIRE(slots.alloc(task(1, 8, 1)));
  CHECK(slots.canAlloc(task(2, 2)).first);
  CHECK(slots.alloc(task(2, 2)));
}

TEST_CASE("SlotManager keeps holders lowest rank first", "[executor][slots]") {
  SlotManager slots(10);
  REQUIRE(slots.alloc(task(1, 1, 5)));
  REQUIRE(slots.alloc(task(2, 1, 9)));
  REQUIRE(slots.alloc(task(3, 1, 1)));
  REQUIRE(slots.alloc(task(4, 1, 5)));
  CHECK(idsOf(slots.holders()) == std::vector<std::int64_t>{2, 4, 1, 3});
}

TEST_CASE("SlotManager collects victims from the lowest rank until the task fits, or none", "[executor][slots]") {
  SlotManager slots(10);
  REQUIRE(slots.alloc(task(1, 2, 1)));
  REQUIRE(slots.alloc(task(2, 1, 100)));
  REQUIRE(slots.alloc(task(3, 1, 200)));
  const auto [can, victims] = slots.canAlloc(task(4, 8, 50));
  CHECK(can);
  CHECK(idsOf(victims) == std::vector<std::int64_t>{3, 2});
  CHECK_FALSE(slots.canAlloc(task(5, 9, 50)).first);
  CHECK(slots.canAlloc(task(5, 9, 50)).second.empty());
}

TEST_CASE("SlotManager frees what a task holds now", "[executor][slots]") {
  SlotManager slots(10);
  REQUIRE(slots.alloc(task(1, 2)));
  REQUIRE(slots.alloc(task(2, 3)));
  REQUIRE(slots.exchange(task(1, 5)));
  slots.free(proto::TaskId(1));
  CHECK(slots.available() == 7);
  slots.free(proto::TaskId(1));
  slots.free(proto::TaskId(9));
  CHECK(slots.available() == 7);
  slots.free(proto::TaskId(2));
  CHECK(slots.available() == 10);
  CHECK(slots.holders().empty());
}

TEST_CASE("SlotManager exchanges within what is free and never preempts", "[executor][slots]") {
  SlotManager slots(16);
  CHECK_FALSE(slots.exchange(task(1, 1)));
  REQUIRE(slots.alloc(task(1, 4)));
  CHECK(slots.exchange(task(1, 8)));
  CHECK(slots.available() == 8);
  CHECK(slots.exchange(task(1, 2)));
  CHECK(slots.exchange(task(1, 2)));
  CHECK(slots.available() == 14);
  REQUIRE(slots.alloc(task(2, 14)));
  CHECK_FALSE(slots.exchange(task(1, 3)));
  CHECK(slots.available() == 0);
  CHECK(slots.holders().size() == 2);
}

TEST_CASE("An exchange between canAlloc and alloc makes that alloc fail", "[executor][slots]") {
  SlotManager slots(10);
  REQUIRE(slots.alloc(task(1, 2)));
  REQUIRE(slots.canAlloc(task(2, 8)).first);
  REQUIRE(slots.exchange(task(1, 3)));
  CHECK_FALSE(slots.alloc(task(2, 8)));
  CHECK(slots.available() == 7);
}

TEST_CASE("SlotManager lends only free slots, and none while an admitted task waits", "[executor][slots]") {
  SlotManager slots(4);
  REQUIRE(slots.alloc(task(1, 2)));
  CHECK(slots.tryBorrow(2));
  CHECK_FALSE(slots.tryBorrow(2));
  CHECK(slots.available() == 2);  // a task may still take them
  slots.returnBorrowed(2);
  slots.setWaiting(true);
  CHECK_FALSE(slots.tryBorrow(2));
  slots.setWaiting(false);
  CHECK(slots.tryBorrow(2));
}

TEST_CASE("A task whose priority was changed is preempted by its new rank", "[executor][slots]") {
  SlotManager slots(4);
  auto first = task(1, 2, 100);
  REQUIRE(slots.alloc(first));
  REQUIRE(slots.alloc(task(2, 2, 200)));
  CHECK(slots.canAlloc(task(3, 2, 50)).second.at(0).id == proto::TaskId(2));
  first.priority = 300;
  REQUIRE(slots.exchange(first));
  CHECK(slots.available() == 0);
  CHECK(slots.canAlloc(task(3, 2, 50)).second.at(0).id == proto::TaskId(1));
}

TEST_CASE("SlotManager with fewer slots lets holders keep theirs and gives none until enough came back") {
  SlotManager slots(4);
  REQUIRE(slots.alloc(task(1, 3)));
  slots.resize(2);
  CHECK(slots.capacity() == 2);
  CHECK(slots.available() == -1);
  CHECK(slots.holders().size() == 1);
  CHECK_FALSE(slots.canAlloc(task(2, 1)).first);
  CHECK_FALSE(slots.alloc(task(2, 1)));
  CHECK_FALSE(slots.tryBorrow(1));
  slots.free(proto::TaskId(1));
  CHECK(slots.available() == 2);
  CHECK(slots.alloc(task(2, 2)));
  slots.resize(3);
  CHECK(slots.alloc(task(3, 1)));
  CHECK_FALSE(slots.alloc(task(4, 1)));
}

TEST_CASE("SlotManager wants borrowed slots back that there are no more") {
  SlotManager slots(4);
  REQUIRE(slots.alloc(task(1, 1)));
  REQUIRE(slots.tryBorrow(3));
  CHECK_FALSE(slots.mustReturnBorrowed());
  slots.resize(2);
  CHECK(slots.mustReturnBorrowed());
  slots.returnBorrowed(2);
  CHECK_FALSE(slots.mustReturnBorrowed());
}
