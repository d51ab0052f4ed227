// A node that is to be empty (design rule 24).
#include "told_manager.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using proto::SubtaskState;
using proto::WantedState;

namespace {

/// A Manager that is told what polls show.
struct Drained {
  World world;
  Blocker blocker;
  ToldManager told;
  executor::Manager& manager = told.manager;

  explicit Drained(std::int32_t parallel = 1)
      : told(
            world, [] {}, optionsOf(parallel)
        ) {
    world.script.run = [this](auto& context, auto&) { blocker.wait(context); };
    manager.start();
  }
  ~Drained() { blocker.letGo(); }
  static plugin::TaskTypeOptions optionsOf(std::int32_t parallel) {
    plugin::TaskTypeOptions options;
    options.parallel_subtasks = parallel;
    return options;
  }
  void poll(WantedState wanted, bool is_due = false) {
    storage::NodePoll seen;
    seen.wanted = wanted;
    seen.is_wish_due = is_due;
    seen.meta_slots = world.settings.slots;
    seen.has_subtasks = true;
    manager.takePoll(seen);
  }
  bool pollUntil(WantedState wanted, bool is_due, const std::function<bool()>& done) {
    return world.runUntil([&] {
      poll(wanted, is_due);
      return done();
    });
  }
};

}  // namespace

TEST_CASE("A draining node begins nothing more and lets end what runs", "[executor][manager][drain]") {
  Drained node;
  const auto task = node.world.addTask();
  const auto ids = node.world.addSubtasks(task, 3);
  REQUIRE(node.pollUntil(WantedState::kNormal, false, [&] { return node.blocker.numWaiting() == 1; }));
  node.poll(WantedState::kDraining);
  const auto begin = node.world.clock.now();
  REQUIRE(node.pollUntil(WantedState::kDraining, false, [&] { return node.world.clock.now() - begin > 5s; }));
  CHECK(node.blocker.numWaiting() == 1);  // not cancelled
  node.blocker.letGo();
  REQUIRE(node.pollUntil(WantedState::kDraining, false, [&] { return node.manager.tasks().empty(); }));
  CHECK(node.world.state(ids[0]) == SubtaskState::kSucceed);
  CHECK(node.world.numInState(task, SubtaskState::kPending) == 2);
  // Taken part again, it goes on.
  CHECK(node.pollUntil(WantedState::kNormal, false, [&] {
    return node.world.numInState(task, SubtaskState::kSucceed) == 3;
  }));
}

TEST_CASE("A drain that is taken back lets a task go on beside a run that it has still", "[executor][manager][drain]") {
  Drained node(2);
  const auto task = node.world.addTask();
  node.world.addSubtask(task);
  REQUIRE(node.pollUntil(WantedState::kNormal, false, [&] { return node.blocker.numWaiting() == 1; }));
  node.poll(WantedState::kDraining);
  node.world.addSubtask(task);
  const auto begin = node.world.clock.now();
  REQUIRE(node.pollUntil(WantedState::kDraining, false, [&] { return node.world.clock.now() - begin > 5s; }));
  CHECK(node.blocker.numWaiting() == 1);
  CHECK(node.pollUntil(WantedState::kNormal, false, [&] { return node.blocker.numWaiting() == 2; }));
}

TEST_CASE("When the time of a drain is over, runs that may run again are given back", "[executor][manager][drain]") {
  Drained node;
  const auto again = node.world.addTask();
  const auto once = node.world.addTask();
  node.world.script.is_idempotent = [once](const auto& subtask) { return subtask.task_id != once; };
  const auto id = node.world.addSubtask(again);
  const auto careful = node.world.addSubtask(once);
  REQUIRE(node.pollUntil(WantedState::kNormal, false, [&] { return node.blocker.numWaiting() == 2; }));
  REQUIRE(node.pollUntil(WantedState::kDraining, true, [&] { return node.world.state(id) == SubtaskState::kPending; }));
  CHECK(node.world.state(careful) == SubtaskState::kRunning);  // design rule 12
  node.blocker.letGo();
  REQUIRE(node.pollUntil(WantedState::kDraining, true, [&] { return node.manager.tasks().empty(); }));
  CHECK(node.world.state(careful) == SubtaskState::kSucceed);
  CHECK(node.world.state(id) == SubtaskState::kPending);
}

TEST_CASE(
    "A Manager that drains by itself begins nothing more, whatever is wanted of its node", "[executor][manager][drain]"
) {
  Drained node;
  const auto task = node.world.addTask();
  const auto ids = node.world.addSubtasks(task, 3);
  REQUIRE(node.pollUntil(WantedState::kNormal, false, [&] { return node.blocker.numWaiting() == 1; }));
  node.manager.drain();
  CHECK_FALSE(node.manager.waitUntilEmpty(0s));
  const auto begin = node.world.clock.now();
  REQUIRE(node.pollUntil(WantedState::kNormal, false, [&] { return node.world.clock.now() - begin > 5s; }));
  CHECK(node.blocker.numWaiting() == 1);  // not cancelled
  node.blocker.letGo();
  REQUIRE(node.pollUntil(WantedState::kNormal, false, [&] { return node.manager.waitUntilEmpty(0s); }));
  CHECK(node.world.state(ids[0]) == SubtaskState::kSucceed);
  // Nor does a later poll begin anything.
  for (int i = 0; i < 3; ++i) node.poll(WantedState::kNormal);
  CHECK(node.manager.tasks().empty());
  CHECK(node.world.numInState(task, SubtaskState::kPending) == 2);
}

TEST_CASE("A cordoned node works off what it has", "[executor][manager][drain]") {
  Drained node;
  node.blocker.letGo();
  const auto task = node.world.addTask();
  node.world.addSubtasks(task, 3);
  CHECK(node.pollUntil(WantedState::kCordoned, false, [&] {
    return node.world.numInState(task, SubtaskState::kSucceed) == 3;
  }));
}
