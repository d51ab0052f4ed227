#include "planning_fixture.hpp"

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using storage::Plan;
using storage::PlanKind;
using storage::PlanWrite;

TEST_CASE("A plan asks for its step and is written batch by batch over the nodes", "[planning]") {
  World world;
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.get().complete; }));
  CHECK(world.plans.get().step == kOne);
  CHECK(world.plans.nodesOfRows() == "ababab");
  CHECK(world.plans.get().next_ordinal == 7);
  CHECK(world.cursorsSeen() == std::vector<std::string>{"", "1", "2"});
  CHECK(world.runUntil([&] { return service->numRunning() == 0; }));
  CHECK(world.progress == 2);  // of batches that follow each other quickly only the first and the last are told
}

TEST_CASE("A plan goes on from its cursor and keeps the step that was chosen", "[planning]") {
  World world;
  world.type->next_step = proto::Step(9);
  world.plans.change([](Plan& plan) {
    plan.step = kOne;
    plan.cursor = "2";
    plan.next_ordinal = 6;
  });
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.get().complete; }));
  CHECK(world.plans.get().step == kOne);
  CHECK(world.plans.nodesOfRows() == "ba");  // ordinals 6 and 7
  CHECK(world.cursorsSeen() == std::vector<std::string>{"2"});
}

TEST_CASE("A task without a further step completes its plan without rows", "[planning]") {
  World world;
  world.type->next_step = proto::kStepDone;
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.get().complete; }));
  CHECK(world.plans.numRows() == 0);
}

TEST_CASE("A revert plan runs the type's hook once and is complete", "[planning]") {
  World world;
  world.plans.change([](Plan& plan) { plan.kind = PlanKind::kRevert; });
  world.rows.change([](auto& data) { data.tasks.begin()->second.state = proto::TaskState::kReverting; });
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.get().complete; }));
  CHECK(world.type->reverts == 1);
}

TEST_CASE("A plan keeps whether its type cleans up", "[planning]") {
  World world;
  const bool has = GENERATE(true, false);
  world.type->has_clean_up = has;
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.get().complete; }));
  CHECK(world.plans.get().cleans_up == has);
}

TEST_CASE("A clean-up plan of an ended task runs the type's hook, again after an error that may pass", "[planning]") {
  World world;
  world.plans.change([](Plan& plan) { plan.kind = PlanKind::kCleanUp; });
  world.rows.change([](auto& data) { data.tasks.begin()->second.state = proto::TaskState::kSucceed; });
  world.type->on_clean_up = [&] {
    if (world.type->clean_ups == 1) throw Exception(Error(ErrorCode::kPluginFailed, Reaction::kRetry, "busy"));
  };
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.get().complete; }));
  CHECK(world.type->clean_ups == 2);
  CHECK(world.type->reverts == 0);
  CHECK(world.plans.get().retries == 1);
}

TEST_CASE("A hook is not run while its task is in another state", "[planning]") {
  World world;
  const auto kind = GENERATE(PlanKind::kRevert, PlanKind::kCleanUp);
  world.plans.change([&](Plan& plan) { plan.kind = kind; });  // the task is running
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.log.count("plan is not ours any more, or its task may not go on") == 1; }));
  CHECK(world.type->clean_ups + world.type->reverts == 0);
  CHECK_FALSE(world.plans.get().complete);
}

TEST_CASE("A fenced plan writes nothing more and leaves the plan alone", "[planning]") {
  World world;
  world.type->on_plan = [&](plugin::PlanContext&) {
    world.plans.change([](Plan& plan) {
      plan.token = proto::RunToken(8);
      plan.planner = "b";
    });
  };
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.log.count("plan is not ours any more, or its task may not go on") == 1; }));
  CHECK(world.plans.numRows() == 0);
  CHECK(world.plans.get().error.empty());
}

TEST_CASE("A plan that is taken away is cancelled at the next look, and a stop cancels too", "[planning]") {
  World world;
  std::atomic<bool> planning{false};
  world.type->on_plan = [&](plugin::PlanContext& context) {
    planning = true;
    while (!context.token().cancelled()) runtime::Wakeup(runtime::systemClock()).waitFor(context.token(), 1s);
  };
  auto service = world.start();
  REQUIRE(world.runUntil([&] { return planning.load(); }));
  CHECK(service->numRunning() == 1);
  if (GENERATE(true, false)) {
    world.plans.held = true;
    CHECK(world.runUntil([&] { return service->numRunning() == 0; }));
  } else {
    service->stop();
    CHECK(service->numRunning() == 0);
  }
  CHECK(world.plans.numRows() == 0);
  CHECK(world.plans.get().error.empty());
}

TEST_CASE("A stop waits for a plan that does not obey as long as it may, and says that it goes on", "[planning]") {
  World world;
  std::atomic<bool> planning{false};
  std::atomic<bool> goes_on{true};
  world.type->on_plan = [&](plugin::PlanContext&) {
    planning = true;
    while (goes_on) runtime::Wakeup(runtime::systemClock()).waitFor({}, 1ms);
  };
  auto service = world.start();
  REQUIRE(world.runUntil([&] { return planning.load(); }));
  CHECK(service->stop(1ms) == 1);
  goes_on = false;
  CHECK(service->stop() == 0);
  CHECK(world.plans.numRows() == 0);
}

TEST_CASE("A batch beyond the limits is a clear error before anything is written", "[planning]") {
  World world;
  SECTION("a meta that is larger than the store takes") {
    world.settings.max_meta_bytes = 3;
    const auto service = world.start();
    REQUIRE(world.runUntil([&] { return world.plans.get().failed; }));
    CHECK_THAT(world.plans.get().error, Contains("meta of subtask 1 has 4 bytes, the store takes 3"));
  }
  SECTION("too many rows") {
    world.settings.limits.max_rows = 1;
    const auto service = world.start();
    REQUIRE(world.runUntil([&] { return world.plans.get().failed; }));
    CHECK_THAT(world.plans.get().error, Contains("2 subtasks at once, the limit is 1"));
  }
  SECTION("too many bytes") {
    world.settings.limits.max_bytes = 7;
    const auto service = world.start();
    REQUIRE(world.runUntil([&] { return world.plans.get().failed; }));
    CHECK_THAT(world.plans.get().error, Contains("8 bytes of subtasks at once"));
  }
  CHECK(world.plans.numRows() == 0);
}

TEST_CASE(
    "A planner reads the results of the step before as a stream and knows how many nodes there are", "[planning]"
) {
  World world;
  world.type->num_batches = 1;
  TestSignal<int> seen;
  world.type->on_plan = [&](plugin::PlanContext& context) {
    int sum = 0;
    context.readResults(kOne, 0, [&](std::int32_t, const std::string&) { return ++sum > 0; });
    seen.send(sum);
    int some = 0;
    context.readResults(kOne, 1000, [&](std::int32_t, const std::string&) { return ++some < 5; });
    seen.send(some);
    seen.send(context.numNodes());
  };
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.get().complete; }));
  CHECK(seen.wait() == 1200);
  CHECK(seen.wait() == 5);
  CHECK(seen.wait() == 2);
}

TEST_CASE("A plan of a task that may not go on rests and goes on when the task does", "[planning]") {
  World world;
  world.rows.change([](auto& data) { data.tasks.begin()->second.state = proto::TaskState::kPaused; });
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return service->numLooks() > 20; }));
  CHECK(world.cursorsSeen().empty());
  CHECK(world.log.count("plan is not ours any more, or its task may not go on") < 6);
  world.rows.change([](auto& data) { data.tasks.begin()->second.state = proto::TaskState::kRunning; });
  CHECK(world.runUntil([&] { return world.plans.get().complete; }));
}

TEST_CASE("A nudge makes an idle service look at once", "[planning]") {
  World world;
  world.plans.held = true;
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return service->numLooks() > 4; }));
  world.plans.held = false;
  service->nudge();
  CHECK(eventually([&] { return world.plans.get().complete; }));  // the clock stands still
}

TEST_CASE("A node that cannot plan hands the plan on, as far as it is, and says so", "[planning]") {
  World world;
  bool is_revert = false;
  SECTION("the next step") {
    world.type->on_next_step = [] { throw plugin::HandBack("the file is not here"); };
  }
  SECTION("a batch") {
    world.plans.change([](Plan& plan) {
      plan.step = kOne;
      plan.cursor = "1";
      plan.next_ordinal = 3;
    });
    world.type->on_plan = [](plugin::PlanContext&) { throw plugin::HandBack("the file is not here"); };
  }
  SECTION("the revert") {
    is_revert = true;
    world.plans.change([](Plan& plan) { plan.kind = PlanKind::kRevert; });
    world.rows.change([](auto& data) { data.tasks.begin()->second.state = proto::TaskState::kReverting; });
    world.type->on_revert = [] { throw plugin::HandBack("the file is not here"); };
    const std::lock_guard lock(world.nodes.mutex);
    world.nodes.nodes.back().role = "elsewhere";  // good enough to undo
  }
  const auto before = world.plans.get();
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.get().planner == "b"; }));
  REQUIRE(world.runUntil([&] { return service->numRunning() == 0 && world.progress > 0; }));
  const auto now = world.plans.get();
  CHECK(now.handed_back == std::vector<std::string>{"a"});
  CHECK(now.error == "the file is not here");
  CHECK_FALSE(now.failed);
  CHECK_FALSE(now.complete);
  CHECK(now.retries == 0);
  CHECK(now.cursor == before.cursor);
  CHECK(now.next_ordinal == before.next_ordinal);
  CHECK(is_revert == (now.kind == PlanKind::kRevert));
  CHECK(world.plans.numRows() == 0);
}

TEST_CASE("A plan fails only when each node that may plan it has handed it on", "[planning]") {
  World world;
  world.type->on_plan = [](plugin::PlanContext&) { throw plugin::HandBack("the file is not here"); };
  bool is_last = true;
  const auto changeB = [&](const std::function<void(proto::Node&)>& change) {
    const std::lock_guard lock(world.nodes.mutex);
    change(world.nodes.nodes.back());
  };
  SECTION("the other one has said so") {
    world.plans.change([](Plan& plan) { plan.handed_back = {"b"}; });
  }
  SECTION("the other one is gone") {
    changeB([](proto::Node& node) { node.life = {}; });
  }
  SECTION("the other one does not offer the type") {
    changeB([](proto::Node& node) { node.types.clear(); });
  }
  SECTION("the other one is cordoned") {
    changeB([](proto::Node& node) { node.wanted = proto::WantedState::kCordoned; });
  }
  SECTION("the other one is out of scope") {
    changeB([](proto::Node& node) { node.role = "elsewhere"; });
  }
  SECTION("a third one may") {
    is_last = false;
    world.plans.change([](Plan& plan) { plan.handed_back = {"b"}; });
    world.nodes.add("c");
    // How many nodes may get subtasks is no limit for planning.
    world.rows.change([](auto& data) { data.tasks.begin()->second.max_nodes = 1; });
  }
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.get().failed || world.plans.get().planner == "c"; }));
  CHECK(world.plans.get().failed == is_last);
  CHECK(world.plans.get().error == (is_last ? "no node could plan it: the file is not here" : "the file is not here"));
}
