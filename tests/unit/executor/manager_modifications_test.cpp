// A node says up to which modification its tasks run with what was asked (design rule 25).
#include "told_manager.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using proto::SubtaskState;

namespace {

/// A Manager that is told what polls show.
struct Told {
  World world;
  Blocker blocker;
  ToldManager told{world};
  executor::Manager& manager = told.manager;
  int num_told = 0;

  Told() {
    world.script.run = [this](auto& context, auto&) { blocker.wait(context); };
    manager.node().on_modified = [this] { ++num_told; };
    manager.start();
  }
  ~Told() { blocker.letGo(); }
  void poll(std::int64_t modifications) {
    storage::NodePoll seen;
    seen.meta_slots = world.settings.slots;
    seen.has_subtasks = true;
    seen.modifications = modifications;
    manager.takePoll(seen);
  }
  bool pollUntil(std::int64_t modifications, const std::function<bool()>& done) {
    return world.runUntil([&] {
      poll(modifications);
      return done();
    });
  }
  void setMeta(proto::TaskId task, const std::string& meta) {
    world.rows.change([&](auto& data) { data.tasks.at(task).meta = meta; });
  }
};

}  // namespace

TEST_CASE("A node without tasks has each modification at once, and says so once", "[executor][manager][modify]") {
  Told node;
  CHECK(node.manager.appliedModifications() == 0);
  node.poll(5);
  CHECK(node.manager.appliedModifications() == 5);
  node.poll(5);
  CHECK(node.num_told == 1);
}

TEST_CASE("A node has a modification when its running task has taken it", "[executor][manager][modify]") {
  Told node;
  std::atomic<bool> refuses{true};
  node.world.script.meta_modified = [&](const auto&) {
    if (refuses) throw Exception(ErrorCode::kPluginFailed, "not now");
  };
  const auto task = node.world.addTask();
  node.world.addSubtask(task);
  REQUIRE(node.pollUntil(1, [&] { return node.blocker.numWaiting() == 1; }));
  CHECK(node.manager.appliedModifications() == 1);
  node.setMeta(task, R"({"new":1})");
  REQUIRE(node.pollUntil(2, [&] { return node.world.script.count(R"(meta {"new":1})") >= 2; }));
  CHECK(node.manager.appliedModifications() == 1);  // refused, and asked again
  refuses = false;
  CHECK(node.pollUntil(2, [&] { return node.manager.appliedModifications() == 2; }));
  CHECK(node.blocker.numWaiting() == 1);
}

TEST_CASE("A modification of a running task is taken at once when a poll shows it", "[executor][manager][modify]") {
  Told node;
  const auto task = node.world.addTask();
  node.world.addSubtask(task);
  REQUIRE(node.pollUntil(0, [&] { return node.blocker.numWaiting() == 1; }));
  node.setMeta(task, R"({"new":1})");
  const auto before = node.world.clock.now();
  REQUIRE(node.pollUntil(1, [&] { return node.manager.appliedModifications() == 1; }));
  CHECK(node.world.clock.now() - before <= 1s);  // without a poll: up to 5 s
  CHECK(node.world.script.count(R"(meta {"new":1})") == 1);
}

TEST_CASE("A task that ends holds a modification up only if it is its own", "[executor][manager][modify]") {
  Told node;
  node.world.script.is_idempotent = [](const auto&) { return false; };
  const auto task = node.world.addTask();
  node.world.addSubtask(task);
  REQUIRE(node.pollUntil(0, [&] { return node.blocker.numWaiting() == 1; }));
  node.world.setTaskState(task, proto::TaskState::kPausing);  // and its run goes on
  REQUIRE(node.pollUntil(1, [&] { return node.manager.appliedModifications() == 1; }));
  CHECK(node.blocker.numWaiting() == 1);
  node.setMeta(task, R"({"new":1})");
  const auto begin = node.world.clock.now();
  REQUIRE(node.pollUntil(2, [&] { return node.world.clock.now() - begin > 10s; }));
  CHECK(node.manager.appliedModifications() == 1);
  node.blocker.letGo();
  CHECK(node.pollUntil(2, [&] { return node.manager.appliedModifications() == 2; }));
}
