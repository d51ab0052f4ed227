// The one statement of a poll on a real server (design rule 17).
#include "disttask/storage/poll_table.hpp"

#include "support/test_store.hpp"
#include <catch2/catch.hpp>

using namespace disttask;
using proto::Life;
using test::TestStore;

namespace {

proto::Node makeNode(const std::string& exec_id, std::int64_t life) {
  proto::Node node;
  node.exec_id = exec_id;
  node.life = Life(life);
  node.role = "disttask";
  node.slots = 8;
  return node;
}

void addSubtask(TestStore& store, int ordinal, const std::string& exec_id, const std::string& state) {
  store.execute(
      "insert into tidb_background_subtask (step, task_key, type, exec_id, state, checkpoint, concurrency, "
      "create_time, "
      "meta, ordinal, summary) values (1, '1', 0, '" +
      exec_id + "', '" + state + "', '{}', 1, current_timestamp(), '{}', " + std::to_string(ordinal) + ", '{}')"
  );
}

void addPlan(TestStore& store, int task, const std::string& planner, bool complete, bool failed) {
  store.execute(
      "insert into disttask_plan (task_id, kind, after_step, planner, token, `cursor`, next_ordinal, complete, failed, "
      "retries) values (" +
      std::to_string(task) + ", 'step', -1, '" + planner + "', 4, '', 1, " + std::to_string(int{complete}) + ", " +
      std::to_string(int{failed}) + ", 0)"
  );
}

}  // namespace

TEST_CASE("A poll of a node that nobody knows shows nothing", "[db][poll]") {
  TestStore store;
  const auto seen = store->pollTable().poll({}, "a");
  CHECK_FALSE(seen.life);
  CHECK_FALSE(seen.meta_slots);
  CHECK(seen.wanted == proto::WantedState::kNormal);
  CHECK(seen.owner.life == Life());
  CHECK_FALSE(seen.has_subtasks);
  CHECK_FALSE(seen.has_plan);
}

TEST_CASE("A poll shows when the time of a drain is over", "[db][poll]") {
  TestStore store;
  REQUIRE(store->nodeTable().registerNode({}, makeNode("a", 11), std::nullopt));
  const auto isDue = [&](std::optional<std::chrono::seconds> limit) {
    REQUIRE(store->nodeTable().setWish({}, "a", {proto::WantedState::kDraining, limit, ""}));
    return store->pollTable().poll({}, "a").is_wish_due;
  };
  CHECK_FALSE(isDue(std::nullopt));
  CHECK_FALSE(isDue(std::chrono::hours(1)));
  CHECK(isDue(std::chrono::seconds(0)));
  REQUIRE(store->nodeTable().setWish({}, "a", {}));
  CHECK_FALSE(store->pollTable().poll({}, "a").is_wish_due);
}

TEST_CASE("A poll shows the life, the wish, the row of dist_framework_meta and the owner", "[db][poll]") {
  TestStore store;
  REQUIRE(store->nodeTable().registerNode({}, makeNode("a", 11), std::nullopt));
  REQUIRE(store->nodeTable().registerNode({}, makeNode("b", 12), std::nullopt));
  auto seen = store->pollTable().poll({}, "a");
  CHECK(seen.life == Life(11));
  CHECK(seen.meta_slots == 8);

  const auto life = store->schedulerTable().takeOwnership({}, "b", store->schedulerTable().getOwner({}));
  REQUIRE(life);
  REQUIRE(store->schedulerTable().renewOwnership({}, *life));
  store.execute("update disttask_node set wanted = 'draining' where exec_id = 'a'");
  store.execute("delete from dist_framework_meta where host = 'a'");
  REQUIRE(store->nodeTable().evict({}, "a", Life(11), 0));
  seen = store->pollTable().poll({}, "a");
  CHECK(seen.life == Life());
  CHECK(seen.wanted == proto::WantedState::kDraining);
  CHECK_FALSE(seen.meta_slots);
  const auto owner = store->schedulerTable().getOwner({});
  CHECK(seen.owner.exec_id == "b");
  CHECK(seen.owner.life == *life);
  CHECK(seen.owner.renewals == 1);
  CHECK(seen.owner.term == owner.term);
  store.execute("delete from disttask_node where exec_id = 'a'");
  CHECK_FALSE(store->pollTable().poll({}, "a").life);
}

TEST_CASE(
    "A poll shows each new owner by name, its renewals as they are, and that nobody has the role any more", "[db][poll]"
) {
  TestStore store;
  auto& scheduler = store->schedulerTable();
  auto& polls = store->pollTable();
  for (const char* name : {"b", "c", "b"}) {
    const auto life = scheduler.takeOwnership({}, name, scheduler.getOwner({}));
    REQUIRE(life);
    for (std::int64_t renewals : {0, 1, 2}) {
      const auto seen = polls.poll({}, "a").owner;
      CHECK(seen.exec_id == name);
      CHECK(seen.life == *life);
      CHECK(seen.renewals == renewals);
      CHECK(seen.term == scheduler.getOwner({}).term);
      REQUIRE(scheduler.renewOwnership({}, *life));
    }
    if (scheduler.getOwner({}).term % 2 == 0) continue;  // the next one takes it from a holder
    REQUIRE(scheduler.releaseOwnership({}, *life));
    CHECK(polls.poll({}, "a").owner.life == Life());
  }
}

TEST_CASE("A poll sees this node's pending and running subtasks, and no others", "[db][poll]") {
  TestStore store;
  int ordinal = 0;
  for (const char* state : {"succeed", "failed", "canceled", "paused"}) addSubtask(store, ++ordinal, "a", state);
  addSubtask(store, ++ordinal, "b", "pending");
  addSubtask(store, ++ordinal, "b", "running");
  CHECK_FALSE(store->pollTable().poll({}, "a").has_subtasks);
  addSubtask(store, ++ordinal, "a", "running");
  CHECK(store->pollTable().poll({}, "a").has_subtasks);
  store.execute("update tidb_background_subtask set state = 'failed' where state = 'running' and exec_id = 'a'");
  CHECK_FALSE(store->pollTable().poll({}, "a").has_subtasks);
  addSubtask(store, ++ordinal, "a", "pending");
  CHECK(store->pollTable().poll({}, "a").has_subtasks);
}

TEST_CASE("A poll sees this node's open plans, and no others", "[db][poll]") {
  TestStore store;
  addPlan(store, 1, "a", true, false);
  addPlan(store, 2, "a", false, true);
  addPlan(store, 3, "b", false, false);
  CHECK_FALSE(store->pollTable().poll({}, "a").has_plan);
  addPlan(store, 4, "a", false, false);
  CHECK(store->pollTable().poll({}, "a").has_plan);
}
