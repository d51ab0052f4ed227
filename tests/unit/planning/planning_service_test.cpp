#include "disttask/planning/planning_service.hpp"

#include "disttask/observability/log_capture.hpp"
#include "disttask/storage/memory/memory_task_table.hpp"

#include "support/fake_clock.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using storage::Plan;
using storage::PlanKind;
using storage::PlanWrite;

namespace {

constexpr proto::Step kOne{1};

/// Plans in memory, fenced as the real table fences them.
class FakePlans final : public storage::PlanTable {
 public:
  using Call = runtime::Call;
  std::vector<Plan> getPlansOf(const Call& call, const proto::ExecId& exec_id) override {
    call.check("getPlansOf");
    const std::lock_guard lock(mutex);
    std::vector<Plan> found;
    for (const auto& each : plans) {
      if (each.planner == exec_id && !each.complete && !each.failed && !held) found.push_back(each);
    }
    return found;
  }
  PlanWrite setStep(const Call&, const Plan& plan, proto::Step step) override {
    const std::lock_guard lock(mutex);
    auto* row = fenced(plan);
    if (row == nullptr) return PlanWrite::kFenced;
    row->step = step;
    row->cleans_up = plan.cleans_up;
    row->complete = step == proto::kStepDone;
    return PlanWrite::kApplied;
  }
  PlanWrite writeBatch(const Call&, const proto::Task&, Plan& plan, const storage::PlanBatch& batch) override {
    const std::lock_guard lock(mutex);
    auto* row = fenced(plan);
    if (row == nullptr || row->cursor != plan.cursor || row->next_ordinal != plan.next_ordinal)
      return PlanWrite::kFenced;
    if (fail_batches > 0) {
      --fail_batches;
      throw Exception(ErrorCode::kStoreUnavailable, "the store is gone");
    }
    for (const auto& each : batch.rows) rows.push_back(each);
    row->cursor = batch.next_cursor;
    row->next_ordinal += static_cast<std::int32_t>(batch.rows.size());
    row->complete = batch.complete;
    row->retries = 0;
    plan.cursor = row->cursor;
    plan.next_ordinal = row->next_ordinal;
    return PlanWrite::kApplied;
  }
  PlanWrite complete(const Call&, const Plan& plan) override {
    const std::lock_guard lock(mutex);
    auto* row = fenced(plan);
    if (row == nullptr) return PlanWrite::kFenced;
    row->complete = true;
    return PlanWrite::kApplied;
  }
  PlanWrite setError(const Call&, const Plan& plan, const std::string& message, bool fatal, runtime::Duration)
      override {
    const std::lock_guard lock(mutex);
    auto* row = fenced(plan);
    if (row == nullptr) return PlanWrite::kFenced;
    row->error = message;
    row->failed = fatal;
    ++row->retries;
    return PlanWrite::kApplied;
  }
  PlanWrite handOn(const Call&, const Plan& plan, const proto::ExecId& next_planner, const std::string& message)
      override {
    const std::lock_guard lock(mutex);
    auto* row = fenced(plan);
    if (row == nullptr) return PlanWrite::kFenced;
    row->handed_back.push_back(row->planner);
    row->planner = next_planner;
    row->token = proto::RunToken(row->token.value() + 1);
    row->error = message;
    return PlanWrite::kApplied;
  }
  std::vector<std::pair<std::int32_t, std::string>> getResultMetas(
      const Call&, proto::TaskId, proto::Step, std::int32_t after, std::int32_t limit
  ) override {
    std::vector<std::pair<std::int32_t, std::string>> page;
    for (auto i = after + 1; i <= 1200 && static_cast<std::int32_t>(page.size()) < limit; ++i)
      page.emplace_back(i, "r");
    return page;
  }

  Plan get() {
    const std::lock_guard lock(mutex);
    return plans.front();
  }
  void change(const std::function<void(Plan&)>& change) {
    const std::lock_guard lock(mutex);
    change(plans.front());
  }
  std::string nodesOfRows() {
    const std::lock_guard lock(mutex);
    std::string text;
    for (const auto& row : rows) text += row.exec_id;
    return text;
  }
  std::size_t numRows() {
    const std::lock_guard lock(mutex);
    return rows.size();
  }

  std::mutex mutex;
  std::vector<Plan> plans;
  std::vector<storage::PlanBatch::Row> rows;
  int fail_batches = 0;
  std::atomic<bool> held{false};

 private:
  Plan* fenced(const Plan& plan) {
    for (auto& row : plans) {
      if (row.task_id == plan.task_id && row.kind == plan.kind && row.after_step == plan.after_step &&
          row.token == plan.token)
        return &row;
    }
    return nullptr;
  }
};

class FakeNodes final : public storage::NodeTable {
 public:
  using Call = runtime::Call;
  std::optional<proto::Node> getNode(const Call&, const proto::ExecId&) override { return std::nullopt; }
  std::vector<proto::Node> getAllNodes(const Call&) override {
    const std::lock_guard lock(mutex);
    return nodes;
  }
  bool registerNode(const Call&, const proto::Node&, const std::optional<proto::Life>&) override { return false; }
  bool renew(const Call&, const proto::Node&) override { return false; }
  bool release(const Call&, const proto::ExecId&, proto::Life) override { return false; }
  bool evict(const Call&, const proto::ExecId&, proto::Life, std::int64_t) override { return false; }
  bool setWish(const Call&, const proto::ExecId&, const storage::NodeWish&) override { return false; }
  bool forget(const Call&, const proto::ExecId&, proto::Life) override { return false; }
  void add(const std::string& exec_id) {
    proto::Node node;
    node.exec_id = exec_id;
    node.life = proto::Life(1);
    node.slots = 2;
    node.role = "disttask";
    node.has_meta_row = true;
    node.types = {{"t", "1"}};
    const std::lock_guard lock(mutex);
    nodes.push_back(node);
  }
  std::mutex mutex;
  std::vector<proto::Node> nodes;
};

/// A type that plans `num_batches` batches of two subtasks; cursors count them.
class PlannedType final : public plugin::TaskType {
 public:
  [[nodiscard]] const std::string& name() const noexcept override { return name_; }
  [[nodiscard]] const std::string& version() const noexcept override { return name_; }
  [[nodiscard]] const std::string& origin() const noexcept override { return name_; }
  [[nodiscard]] plugin::TaskTypeOptions options() const noexcept override { return {}; }
  void validate(const std::string&) override {
    if (on_validate) on_validate();
  }
  proto::Step nextStep(const runtime::CancelToken&, const proto::Task&, proto::Step) override {
    if (on_next_step) on_next_step();
    return next_step;
  }
  plugin::PlannedBatch
  plan(plugin::PlanContext& context, const proto::Task&, proto::Step, const std::string& cursor, const plugin::PlanLimits&)
      override {
    cursors.send(cursor);
    if (on_plan) on_plan(context);
    const int done = cursor.empty() ? 1 : std::stoi(cursor) + 1;
    return {{meta, meta}, std::to_string(done), done >= num_batches};
  }
  void revert(const runtime::CancelToken&, const proto::Task&) override {
    if (on_revert) on_revert();
    ++reverts;
  }
  [[nodiscard]] bool hasCleanUp() const noexcept override { return has_clean_up; }
  void cleanUp(const runtime::CancelToken&, const proto::Task& task) override {
    CHECK(isDone(task.state));
    ++clean_ups;
    if (on_clean_up) on_clean_up();
  }
  std::unique_ptr<plugin::StepExecutor> createStepExecutor(const proto::Task&) override { return nullptr; }
  [[nodiscard]] bool isIdempotent(const proto::Subtask&) override { return true; }
  [[nodiscard]] bool isRetryableError(const Error& error) override { return error.message() == "transient"; }

  proto::Step next_step = kOne;
  int num_batches = 3;
  std::string meta = "meta";
  std::function<void()> on_validate;
  std::function<void()> on_next_step;
  std::function<void(plugin::PlanContext&)> on_plan;
  std::function<void()> on_revert;
  TestSignal<std::string> cursors;
  std::atomic<int> reverts{0};
  std::atomic<int> clean_ups{0};
  bool has_clean_up = false;
  std::function<void()> on_clean_up;

 private:
  const std::string name_ = "t";
};

struct World {
  observability::LogCapture log;
  FakeClock clock;
  FakeTimers timers{clock};
  storage::MemoryRows rows{clock};
  storage::MemoryTaskTable tasks{rows};
  FakePlans plans;
  FakeNodes nodes;
  std::shared_ptr<PlannedType> type = std::make_shared<PlannedType>();
  plugin::TaskTypes types;
  runtime::ThreadPool ctl{"ctl", 2, 8, {}};
  runtime::ThreadPool work{"plan", 2, 0, {}};
  planning::PlanningSettings settings;
  std::atomic<int> progress{0};

  World() {
    settings.exec_id = "a";
    types.add(type);
    nodes.add("a");
    nodes.add("b");
    proto::Task task;
    task.type = "t";
    task.state = proto::TaskState::kPending;
    task.target_scope = "disttask";
    Plan plan;
    plan.task_id = rows.insertTask(task);
    plan.after_step = proto::kStepInit;
    plan.planner = "a";
    plan.token = proto::RunToken(7);
    plans.plans.push_back(plan);
  }
  std::unique_ptr<planning::PlanningService> start() {
    auto service = std::make_unique<planning::PlanningService>(
        settings, planning::PlanningParts{plans, nodes, tasks, types, clock, timers, ctl, work, [this] { ++progress; }}
    );
    service->start();
    return service;
  }
  std::vector<std::string> cursorsSeen() {
    std::vector<std::string> seen;
    while (auto cursor = type->cursors.poll()) seen.push_back(*cursor);
    return seen;
  }
  bool runUntil(const std::function<bool()>& done) {
    return eventually([&] {
      clock.advance(50ms);
      return done();
    });
  }
};

}  // namespace

TEST_CASE("A plan asks for its step and is written batch by batch over the nodes", "[planning]") {
  World world;
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.get().complete; }));
  CHECK(world.plans.get().step == kOne);
  CHECK(world.plans.nodesOfRows() == "ababab");
  CHECK(world.plans.get().next_ordinal == 7);
  CHECK(world.cursorsSeen() == std::vector<std::string>{"", "1", "2"});
  CHECK(world.runUntil([&] { return service->numRunning() == 0; }));
  CHECK(world.progress == 3);
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

TEST_CASE("A planning error that may pass is tried again, up to a limit, one that may not is fatal", "[planning]") {
  World world;
  world.settings.retry_limit = 2;
  std::string text = GENERATE("transient", "broken");
  world.type->on_plan = [&](plugin::PlanContext&) { throw Exception(ErrorCode::kPluginFailed, text); };
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.get().failed; }));
  CHECK(world.plans.get().error == text);
  CHECK(world.plans.get().retries == (text == "transient" ? 3 : 1));
}

TEST_CASE("A task meta that its type refuses fails the plan before anything is asked of the type", "[planning]") {
  World world;
  world.type->on_validate = [] { throw Exception(ErrorCode::kInvalidArgument, "'file' is missing"); };
  std::atomic<bool> asked{false};
  world.type->on_next_step = [&] { asked = true; };
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.get().failed; }));
  CHECK(world.plans.get().error == "'file' is missing");
  CHECK_FALSE(asked);
}

TEST_CASE("A store that fails in the middle lets the plan go on from its cursor", "[planning]") {
  World world;
  world.plans.fail_batches = 2;
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.get().complete; }));
  CHECK(world.plans.numRows() == 6);
}

TEST_CASE("A plan waits for a node however long it takes, and says why", "[planning]") {
  World world;
  world.settings.retry_limit = 1;
  {
    const std::lock_guard lock(world.nodes.mutex);
    world.nodes.nodes.clear();
  }
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.get().retries > 3; }));
  CHECK(world.plans.get().error == "no node is alive");
  CHECK_FALSE(world.plans.get().failed);
  world.nodes.add("c");
  REQUIRE(world.runUntil([&] { return world.plans.get().complete; }));
  CHECK(world.plans.nodesOfRows() == "cccccc");
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
