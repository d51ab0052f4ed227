// Each reason for which a task or a subtask waits, on a real store.
#include "reasons_fixture.hpp"

using namespace disttask;
using namespace disttask::test;
using Catch::Matchers::Contains;
using reasons::Code;

TEST_CASE("A task that has ended, is paused or waits for a decision says so first", "[db][scheduler][reasons]") {
  Waiting waiting;
  const auto id = waiting.addTask("t", "running", 1).id;
  const auto become = [&](const std::string& state) {
    waiting.store().execute("update tidb_global_task set state='" + state + "'" + waiting.inTask(id));
  };
  become("succeed");
  CHECK(waiting.why(id).size() == 1);
  CHECK(waiting.find(id, Code::kEnded).text == "it has ended: succeed");
  waiting.store().execute(
      "update tidb_global_task set error='{\"class\":0,\"code\":0,\"message\":\"line 7\",\"rfccode\":\"\"}'" +
      waiting.inTask(id)
  );
  become("reverted");
  CHECK(waiting.find(id, Code::kEnded).text == "it has ended: reverted, line 7");
  become("paused");
  CHECK(waiting.why(id).size() == 1);
  CHECK_THAT(waiting.find(id, Code::kPaused).text, Contains("task resume"));
  waiting.store().execute(
      "update tidb_global_task set state='awaiting-resolution', "
      "error='{\"class\":0,\"code\":0,\"message\":\"line 7\",\"rfccode\":\"\"}'" +
      waiting.inTask(id)
  );
  CHECK(waiting.why(id).size() == 1);
  CHECK_THAT(waiting.find(id, Code::kResolution).text, Contains("task resolve") && Contains("line 7"));
  const std::pair<const char*, Code> states[] = {
      {"pausing", Code::kPausing},
      {"resuming", Code::kResuming},
      {"modifying", Code::kModifying},
      {"cancelling", Code::kCancelling},
      {"reverting", Code::kReverting}};
  for (const auto& [state, code] : states) {
    become(state);
    waiting.find(id, code);
  }
}

TEST_CASE("A task for which no node is good names what is missing", "[db][scheduler][reasons]") {
  Waiting waiting;
  const auto id = waiting.addTask("t").id;
  waiting.set("a", "types='{\"other\":\"1\"}'");
  CHECK_THAT(waiting.find(id, Code::kNoType).text, Contains("no live node offers type 'demo'"));
  // Tasks of higher rank, and that nobody plans it, are no reason then.
  CHECK(waiting.why(id).size() == 1);
  waiting.set("a", "types='{\"demo\":\"1\"}'");
  waiting.store().execute("update dist_framework_meta set role='elsewhere'");
  CHECK_THAT(waiting.find(id, Code::kNoScope).text, Contains("scope 'disttask'"));
  waiting.store().execute("update dist_framework_meta set role='disttask', cpu_count=1");
  CHECK_THAT(waiting.find(id, Code::kNoSlots).text, Contains("2 slots"));
  waiting.store().execute("update dist_framework_meta set cpu_count=4");
  waiting.set("a", "wanted='cordoned'");
  CHECK_THAT(waiting.find(id, Code::kCordoned).text, Contains("cordoned or draining"));
  waiting.set("a", "wanted='normal', life=0");
  CHECK(waiting.find(id, Code::kNoNode).text == "no node is alive");
}

TEST_CASE("A scheduler role that nobody leads is the first reason of every task", "[db][scheduler][reasons]") {
  Waiting waiting;
  const auto id = waiting.addTask("t").id;
  CHECK(waiting.why(id).front().code == Code::kNotPlanned);
  SECTION("its holder's lease has ended and nobody is there to take it") {
    waiting.store().execute("update disttask_owner_lease set renewed_at=current_timestamp() - interval 40 second");
    const auto reason = waiting.why(id).front();
    CHECK(reason.code == Code::kOwnerSilent);
    CHECK_THAT(reason.text, Contains("node a holds") && Contains("has not renewed it for 4"));
    REQUIRE(waiting.scheduler().renewOwnership(SchedulerFixture::call(), waiting.life));
    CHECK(waiting.why(id).front().code == Code::kNotPlanned);
  }
  SECTION("its holder was evicted") {
    waiting.addNode("b");
    waiting.set("a", "life=0");
    const auto reason = waiting.why(id).front();
    CHECK(reason.code == Code::kOwnerSilent);
    CHECK_THAT(reason.text, Contains("node a") && Contains("not alive"));
  }
  SECTION("nobody has it") {
    REQUIRE(waiting.scheduler().releaseOwnership(SchedulerFixture::call(), waiting.life));
    CHECK(waiting.why(id).front().code == Code::kNoOwner);
  }
}

TEST_CASE("A task without a plan waits for its place or for the scheduler", "[db][scheduler][reasons]") {
  Waiting waiting;
  const auto first = waiting.addTask("first").id;
  const auto second = waiting.addTask("second").id;
  waiting.find(first, Code::kNotPlanned);
  CHECK_THAT(waiting.find(second, Code::kRank).text, Contains("ahead: first"));
  waiting.store().execute("update tidb_global_task set priority=1" + waiting.inTask(second));
  waiting.find(second, Code::kNotPlanned);
  CHECK_THAT(waiting.find(first, Code::kRank).text, Contains("ahead: second"));
  // One that only waits for a node takes nobody's place, and neither does one that ends.
  waiting.store().execute("update tidb_global_task set type='elsewhere'" + waiting.inTask(second));
  waiting.find(first, Code::kNotPlanned);
  waiting.store().execute("update tidb_global_task set type='demo', state='reverting'" + waiting.inTask(second));
  waiting.find(first, Code::kNotPlanned);
}

TEST_CASE("A task without a plan waits for slots that other tasks have, and names them", "[db][scheduler][reasons]") {
  Waiting waiting;
  const auto ahead = waiting.addRunning("ahead");
  const auto id = waiting.addTask("t").id;
  CHECK_THAT(waiting.find(id, Code::kRank).text, Contains("waits for a place") && Contains("or for slots"));
  // Whether its rows run or wait.
  const auto* state = GENERATE("running", "pending");
  waiting.addSubtask(ahead.id, 1, 1, "a", state);
  waiting.store().execute("update tidb_global_task set concurrency=3" + waiting.inTask(ahead.id));
  const auto reason = waiting.find(id, Code::kSlotsShort);
  CHECK_THAT(reason.text, Contains("2 slots") && Contains("on a, which has 4, by ahead (3, of higher rank)"));
  // A node with room is enough.
  waiting.addNode("b");
  waiting.find(id, Code::kRank);
  // What runs of a lower rank gives way.
  waiting.set("b", "life=0");
  waiting.store().execute("update tidb_global_task set priority=priority+1" + waiting.inTask(ahead.id));
  waiting.find(id, Code::kNotPlanned);
}

TEST_CASE("A task without a plan waits for slots that one of lower rank uses", "[db][scheduler][reasons]") {
  Waiting waiting;
  waiting.addNode("b");
  const auto high = waiting.addRunning("high").id;
  const auto id = waiting.addTask("t").id;
  const auto low = waiting.addRunning("low").id;
  waiting.store().execute("update tidb_global_task set concurrency=3, max_node_count=1 where task_key in ('high','low')"
  );
  waiting.addSubtask(high, 1, 1, "a", "running", 7);
  waiting.find(id, Code::kRank);
  waiting.addSubtask(low, 1, 1, "b", "running", 9);
  CHECK_THAT(
      waiting.find(id, Code::kSlotsShort).text,
      Contains("held by other tasks: on a, which has 4, by high (3, of higher rank); b, which has 4, by low (3)")
  );
}

TEST_CASE("A plan that is open says who has it, how far it is, and until when it rests", "[db][scheduler][reasons]") {
  Waiting waiting;
  const auto call = SchedulerFixture::call();
  waiting.addNode("b");
  const auto task = waiting.addTask("t");
  auto plan = makePlan(waiting, waiting.life, task, proto::Step(1), "b");
  CHECK_THAT(waiting.find(task.id, Code::kPlanning).text, Contains("on node b; 0 subtasks so far"));
  REQUIRE(
      waiting.plans().writeBatch(call, task, plan, makeBatch(1, 10, "10", false, {"b"})) == storage::PlanWrite::kApplied
  );
  CHECK_THAT(waiting.find(task.id, Code::kPlanning).text, Contains("step 1") && Contains("10 subtasks so far"));
  SECTION("after an error that passes") {
    REQUIRE(
        waiting.plans().setError(call, plan, "no route", false, std::chrono::seconds(50)) ==
        storage::PlanWrite::kApplied
    );
    const auto reason = waiting.find(task.id, Code::kPlanBackOff);
    CHECK_THAT(reason.text, Contains("after try 1: no route"));
    const auto now = std::stoll(waiting.text("select unix_timestamp()"));
    CHECK(reason.until.value() >= now + 40);
    CHECK(reason.until.value() <= now + 52);
  }
  SECTION("failed") {
    REQUIRE(waiting.plans().setError(call, plan, "no such file", true, {}) == storage::PlanWrite::kApplied);
    CHECK_THAT(waiting.find(task.id, Code::kPlanFailed).text, Contains("no such file"));
  }
  SECTION("its planner is gone") {
    waiting.set("b", "life=0");
    CHECK_THAT(waiting.find(task.id, Code::kPlannerGone).text, Contains("node b"));
  }
  SECTION("of a revert") {
    waiting.store().execute("update tidb_global_task set state='reverting'" + waiting.inTask(task.id));
    waiting.store().execute(
        "update disttask_plan set kind='revert', step=null where task_id=" + std::to_string(task.id.value())
    );
    CHECK_THAT(waiting.find(task.id, Code::kPlanning).text, Contains("the revert goes on, on node b"));
  }
}

TEST_CASE("Pending subtasks say what is with their node", "[db][scheduler][reasons]") {
  Waiting waiting;
  waiting.addNode("b");
  const auto id = waiting.addRunning("t").id;
  waiting.addSubtask(id, 1, 1, "b", "pending");
  waiting.addSubtask(id, 1, 2, "b", "pending");
  const auto free = waiting.find(id, Code::kAboutToStart);
  CHECK(free.subtasks == 2);
  CHECK_THAT(free.text, Contains("2 subtasks wait on b"));
  SECTION("others hold its slots") {
    const auto other = waiting.addRunning("other").id;
    waiting.addSubtask(other, 1, 1, "b", "running", 6);
    waiting.addSubtask(other, 1, 2, "b", "running", 8);
    waiting.addSubtask(other, 1, 3, "b", "running", 10);
    const auto reason = waiting.find(id, Code::kSlotsShort);
    CHECK(reason.subtasks == 2);
    CHECK(reason.text == "2 subtasks wait on b, which has 4 slots; this task needs 2; held by other (3)");
    waiting.store().execute("update tidb_global_task set priority=1" + waiting.inTask(other));
    CHECK_THAT(waiting.find(id, Code::kSlotsShort).text, Contains("held by other (3, of higher rank)"));
    waiting.addSubtask(id, 1, 3, "b", "running", 12);
    CHECK_THAT(
        waiting.find(id, Code::kSlotsShort).text, Contains("held by other (3, of higher rank), this task itself (")
    );
  }
  SECTION("as many of its own run there as may") {
    waiting.addSubtask(id, 1, 3, "b", "running", 6);
    CHECK(waiting.find(id, Code::kOwnSubtasks).subtasks == 2);
    CHECK(waiting.find(id, Code::kRunning).text == "1 subtask runs");
  }
  SECTION("the store refuses what it sends") {
    auto node = *waiting.nodes().getNode(SchedulerFixture::call(), "b");
    node.reasons = proto::encodeReasons({ErrorCode::kStoreNoPrivilege, "UPDATE command denied"});
    REQUIRE(waiting.nodes().renew(SchedulerFixture::call(), node));
    const auto reason = waiting.find(id, Code::kStoreTrouble);
    CHECK(reason.subtasks == 2);
    CHECK_THAT(reason.text, Contains("which the store refuses: store_no_privilege: UPDATE command denied"));
    node.reasons.clear();
    REQUIRE(waiting.nodes().renew(SchedulerFixture::call(), node));
    waiting.find(id, Code::kAboutToStart);
  }
  SECTION("it is gone") {
    waiting.set("b", "life=0");
    CHECK(waiting.find(id, Code::kNodeGone).subtasks == 2);
  }
  SECTION("it is cordoned, and works off what it has") {
    waiting.set("b", "wanted='cordoned'");
    CHECK_THAT(waiting.find(id, Code::kAboutToStart).text, Contains("b (cordoned, it works off what it has)"));
  }
  SECTION("it drains") {
    waiting.set("b", "wanted='draining'");
    CHECK_THAT(waiting.find(id, Code::kNodeUnfit).text, Contains("is draining"));
  }
  SECTION("it does not offer the type") {
    waiting.set("b", "types='{}'");
    CHECK_THAT(waiting.find(id, Code::kNodeUnfit).text, Contains("does not offer its type"));
  }
}

TEST_CASE("Subtasks that were tried before say what came of it", "[db][scheduler][reasons]") {
  Waiting waiting;
  const auto id = waiting.addRunning("t").id;
  const auto subtask = waiting.addSubtask(id, 1, 1, "a", "pending");
  const auto note = [&](const std::string& columns) { waiting.note(id, subtask, columns); };
  SECTION("it waits until its next try") {
    note("2, 0, floor(unix_timestamp(now(3))*1000)+50000, 'no route', null");
    const auto reason = waiting.find(id, Code::kBackOff);
    CHECK(reason.subtasks == 1);
    CHECK_THAT(reason.text, Contains("subtask 1 on a waits after try 2: no route"));
    CHECK(reason.until.value() >= std::stoll(waiting.text("select unix_timestamp()")) + 40);
  }
  SECTION("it ended its node and runs alone") {
    note("0, 2, 0, null, null");
    CHECK_THAT(waiting.find(id, Code::kRunsAlone).text, Contains("ended its node 2 times"));
  }
  SECTION("its node has handed it back") {
    note("0, 0, 0, 'no such file', '[\"a\"]'");
    CHECK_THAT(waiting.find(id, Code::kHandedBack).text, Contains("handed back: no such file"));
  }
  for (const auto& reason : waiting.why(id)) CHECK(reason.code != Code::kAboutToStart);
}

TEST_CASE("Subtasks that their task type holds up say by what", "[db][scheduler][reasons]") {
  Waiting waiting;
  const auto task = waiting.addRunning("t").id;
  const auto held = waiting.addSubtask(task, 1, 1, "a", "running", 3);
  const auto other = waiting.addSubtask(task, 1, 2, "a", "running", 3);
  const auto keep = [&](std::int64_t id, const std::string& checkpoint) {
    waiting.store().execute(
        "update tidb_background_subtask set checkpoint='" + checkpoint + "' where id=" + std::to_string(id)
    );
  };
  keep(held, R"({"rows": 7, "throttled_by": "max_lag: r1 is 12 s behind"})");
  // What a type keeps for itself is its own.
  keep(other, GENERATE("", "not JSON: \"throttled_by\"", R"({"throttled_by": 5})", R"(["throttled_by"])"));

  const auto reason = waiting.find(task, Code::kThrottled);
  CHECK(reason.text == "1 subtask is held up by the task's type: max_lag: r1 is 12 s behind");
  CHECK(reason.subtasks == 1);
  CHECK(waiting.find(task, Code::kRunning).text == "1 subtask runs");
  CHECK(
      waiting.findOfSubtask(task, held, Code::kThrottled).text ==
      "it runs on a, held up by its task's type: max_lag: r1 is 12 s behind"
  );
  CHECK(waiting.findOfSubtask(task, other, Code::kRunning).text == "it runs on a");
  waiting.set("a", "life=0");
  CHECK(waiting.find(task, Code::kNodeGone).subtasks == 2);
}

TEST_CASE("Subtasks whose node is not alive do not count as running", "[db][scheduler][reasons]") {
  Waiting waiting;
  waiting.addNode("b");
  const auto id = waiting.addRunning("t").id;
  waiting.addSubtask(id, 1, 1, "a", "running", 6);
  waiting.addSubtask(id, 1, 2, "b", "running", 8);
  waiting.addSubtask(id, 1, 3, "b", "running", 10);
  CHECK(waiting.find(id, Code::kRunning).text == "3 subtasks run");
  SECTION("one was evicted") {
    waiting.set("b", "life=0");
    const auto gone = waiting.find(id, Code::kNodeGone);
    CHECK_THAT(gone.text, Catch::StartsWith("2 subtasks ran on b, which is not alive: to be given back"));
    CHECK(gone.subtasks == 2);
    CHECK(waiting.find(id, Code::kRunning).text == "1 subtask runs");
  }
  SECTION("the owner is silent: its own are gone, and nobody watches the others") {
    waiting.store().execute("update disttask_owner_lease set renewed_at=current_timestamp() - interval 40 second");
    CHECK(waiting.why(id).front().code == Code::kOwnerSilent);
    CHECK_THAT(waiting.find(id, Code::kNodeGone).text, Catch::StartsWith("1 subtask ran on a"));
    CHECK(waiting.find(id, Code::kRunning).text == "2 subtasks run, as far as their rows tell");
  }
  SECTION("all are gone") {
    waiting.store().execute("update disttask_node set life=0");
    for (const auto& reason : waiting.why(id)) CHECK(reason.code != Code::kRunning);
  }
}
