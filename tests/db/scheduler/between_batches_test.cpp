// What happens to a task while its planner thinks about the next batch.
#include "live_roles.hpp"

#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <mutex>
#include <optional>
#include <string_view>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using proto::TaskState;

namespace {

/// A planner that stands still before its second batch until it may go on, and an owner that the test leads.
class HeldPlan : public SchedulerFixture {
 public:
  explicit HeldPlan(const std::string& key = "t") {
    for (const auto* node : {"a", "b"}) addNode(node);
    type->before_plan = [this](const std::string& cursor) {
      if (cursor != "10" || has_gone_on) return;
      reached.send(true);
      static_cast<void>(may_go_on.wait());
    };
    task_id = addTask(key).id;
  }
  ~HeldPlan() { may_go_on.send(true); }
  /// A planner that sees what becomes of its task at a look, or not before it writes.
  std::unique_ptr<LivePlanner> startPlanner(bool looks) {
    const runtime::Duration interval = looks ? runtime::Duration(10ms) : 1h;
    return std::make_unique<LivePlanner>(store().store(), "a", type, std::function<void()>(), interval);
  }
  /// Lets the owner and the planner get to the second batch.
  void reachSecondBatch() {
    owner.round();
    REQUIRE(reached.wait());
    has_gone_on = true;
  }
  void goOn() { may_go_on.send(true); }
  bool leadTo(TaskState state, LivePlanner* woken = nullptr) {
    return eventually([&] {
      if (woken != nullptr) woken->service().nudge();
      for (const auto* node : {"a", "b"}) renew(node);
      owner.round();
      return task(task_id).state == state;
    });
  }
  bool isPlanned(LivePlanner& planner) {
    return eventually([&] {
      planner.service().nudge();
      return text(
                 "select count(*) from disttask_plan where step=1 and complete=1 and task_id=" +
                 std::to_string(task_id.value())
             ) == "1";
    });
  }
  storage::ClientTable& client() { return store()->clientTable(); }

  const std::shared_ptr<SteppedType> type = std::make_shared<SteppedType>();
  LedScheduler owner{*this, "owner"};
  proto::TaskId task_id;
  TestSignal<bool> reached;
  TestSignal<bool> may_go_on;
  std::atomic<bool> has_gone_on{false};
};

/// Returns a line of /proc/self/status, such as "VmHWM:".
std::int64_t statusKib(std::string_view name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name)) return std::stoll(line.substr(name.size()));
  }
  return 0;
}

/// The most memory that this process had since reset(). A sandbox may keep /proc/self/clear_refs from it: then only
/// what looks see counts. Any thread.
class MemoryPeak {
 public:
  void reset() {
    const std::lock_guard lock(mutex_);
    std::ofstream refs("/proc/self/clear_refs");
    is_kernels_ = static_cast<bool>(refs << "5" << std::flush);
    before_ = seen_ = statusKib("VmRSS:");
  }
  void look() {
    const std::lock_guard lock(mutex_);
    seen_ = std::max(seen_, statusKib(is_kernels_ ? "VmHWM:" : "VmRSS:"));
  }
  /// Nothing before the first reset.
  [[nodiscard]] std::optional<std::int64_t> grownKib() const {
    const std::lock_guard lock(mutex_);
    return before_ > 0 ? std::optional(seen_ - before_) : std::nullopt;
  }

 private:
  mutable std::mutex mutex_;
  bool is_kernels_ = false;
  std::int64_t before_ = 0;
  std::int64_t seen_ = 0;
};

}  // namespace

TEST_CASE("Work begins with the first batch of a plan", "[db][scheduler][batches]") {
  HeldPlan plan;
  const auto planner = plan.startPlanner(GENERATE(true, false));
  plan.reachSecondBatch();
  CHECK(plan.task(plan.task_id).state == TaskState::kRunning);
  CHECK(plan.task(plan.task_id).step == proto::Step(1));
  CHECK(plan.store()->taskTable().getTaskExecInfoByExecId(SchedulerFixture::call(), "b").size() == 1);
  // What has been planned is done; the step goes on all the same.
  finishPending(plan, plan.task_id);
  for (int i = 0; i < 5; ++i) plan.owner.round();
  CHECK(plan.task(plan.task_id).step == proto::Step(1));
  plan.goOn();
  REQUIRE(plan.isPlanned(*planner));
  CHECK(plan.rows(plan.task_id).size() == 30);
  CHECK(findHoles(plan, plan.task_id).empty());
}

TEST_CASE(
    "The owner may change while a step is planned, and the key of its task may be any text", "[db][scheduler][batches]"
) {
  const std::string key = "задача 任务 🚀";
  HeldPlan plan(key);
  const auto planner = plan.startPlanner(GENERATE(true, false));
  plan.reachSecondBatch();
  const bool gives_up = GENERATE(true, false);
  if (gives_up) plan.owner.service().stop();
  LedScheduler next(plan, "next");
  const auto lead = [&] {
    planner->service().nudge();
    for (const auto* node : {"a", "b"}) plan.renew(node);
    next.round();
  };
  for (int i = 0; i < 200 && !next.service().isOwner(); ++i) lead();
  REQUIRE(next.service().isOwner());
  for (int i = 0; i < 3; ++i) lead();
  CHECK(plan.rows(plan.task_id).size() == 10);
  plan.goOn();
  REQUIRE(eventually([&] {
    lead();
    finishPending(plan, plan.task_id);
    return plan.task(plan.task_id).state == TaskState::kSucceed;
  }));
  CHECK(plan.rows(plan.task_id).size() == 40);
  CHECK(findHoles(plan, plan.task_id).empty());
  CHECK(plan.client().findTaskByKey(SchedulerFixture::call(), key).value().id == plan.task_id);
}

TEST_CASE("A cancel between two batches ends the plan and reverts the task", "[db][scheduler][batches]") {
  HeldPlan plan;
  const auto planner = plan.startPlanner(GENERATE(true, false));
  plan.reachSecondBatch();
  REQUIRE(plan.client().cancelTask(SchedulerFixture::call(), plan.task_id));
  const bool reverts_first = GENERATE(false, true);
  if (reverts_first) {
    for (int i = 0; i < 3; ++i) plan.owner.round();
  }
  plan.goOn();
  REQUIRE(plan.leadTo(TaskState::kReverted, planner.get()));
  CHECK(plan.rows(plan.task_id).size() == 10);
  for (const auto& row : plan.rows(plan.task_id)) CHECK(row.state == "canceled");
}

TEST_CASE("A pause between two batches stops the plan, and the task goes on where it was", "[db][scheduler][batches]") {
  HeldPlan plan;
  const auto planner = plan.startPlanner(GENERATE(true, false));
  plan.reachSecondBatch();
  const auto call = SchedulerFixture::call();
  REQUIRE(plan.client().pauseTask(call, plan.task_id));
  const bool resumes_first = GENERATE(false, true);
  REQUIRE(plan.leadTo(TaskState::kPaused));
  if (!resumes_first) {
    plan.goOn();
    REQUIRE(eventually([&] { return planner->service().numRunning() == 0; }));
    CHECK(plan.rows(plan.task_id).size() == 10);
  }
  REQUIRE(plan.client().resumeTask(call, plan.task_id));
  REQUIRE(plan.leadTo(TaskState::kRunning));
  if (resumes_first) plan.goOn();
  REQUIRE(plan.isPlanned(*planner));
  CHECK(findHoles(plan, plan.task_id).empty());
  CHECK(plan.rows(plan.task_id).size() == 30);
  for (const auto& row : plan.rows(plan.task_id)) CHECK(row.state == "pending");
}

TEST_CASE("A modification between two batches holds for all subtasks", "[db][scheduler][batches]") {
  HeldPlan plan;
  const auto planner = plan.startPlanner(GENERATE(true, false));
  plan.reachSecondBatch();
  proto::TaskModification change;
  SECTION("slots") {
    change.slots = 3;
  }
  SECTION("meta") {
    change.meta = "{\"job\":2}";
  }
  SECTION("nodes") {
    change.max_nodes = 1;
  }
  plan.client().modifyTask(SchedulerFixture::call(), plan.task_id, change);
  REQUIRE(plan.leadTo(TaskState::kRunning));
  plan.goOn();
  REQUIRE(plan.isPlanned(*planner));
  CHECK(findHoles(plan, plan.task_id).empty());
  CHECK(plan.rows(plan.task_id).size() == 30);
  const auto of_task = " from tidb_background_subtask where task_key='" + std::to_string(plan.task_id.value()) + "'";
  CHECK(plan.text("select group_concat(distinct concurrency)" + of_task) == (change.slots ? "3" : "2"));
  if (change.max_nodes) CHECK(plan.text("select count(distinct exec_id)" + of_task + " and ordinal>10") == "1");
}

TEST_CASE(
    "A meta that the store cannot take fails the task before anything of its batch is written",
    "[db][scheduler][batches]"
) {
  SchedulerFixture fixture;
  fixture.addNode("a");
  const bool is_tidb = fixture.store().isTiDb();
  const auto packet = std::stoull(fixture.text("select @@max_allowed_packet"));
  const auto most = is_tidb ? std::min<unsigned long long>(packet, 6 << 20) : packet;
  const auto task = fixture.addTask("t");
  auto plan = makePlan(fixture, fixture.takeRole(), task, proto::Step(1));
  storage::PlanBatch batch;
  batch.rows.push_back({"{\"n\":1}", "a"});
  batch.rows.push_back({std::string(most - 1000, 'x'), "a"});
  try {
    static_cast<void>(fixture.plans().writeBatch(SchedulerFixture::call(), task, plan, batch));
    FAIL("it was written");
  } catch (const Exception& e) {
    CHECK(e.error().code() == ErrorCode::kStoreContent);
    CHECK_THAT(e.what(), Contains("the meta of subtask 2 has " + std::to_string(most - 1000) + " bytes"));
    CHECK_THAT(e.what(), Contains("takes at most " + std::to_string(most - 2048)));
  }
  CHECK(fixture.rows(task.id).empty());
  CHECK(fixture.task(task.id).state == TaskState::kPending);
  // Just below it goes in.
  batch.rows[1].meta.resize(most - 4096);
  CHECK(fixture.plans().writeBatch(SchedulerFixture::call(), task, plan, batch) == storage::PlanWrite::kApplied);
}

TEST_CASE("A step of many subtasks is planned with the memory of a few batches", "[db][scheduler][batches]") {
  SchedulerFixture fixture;
  fixture.addNode("a");
  const auto type = std::make_shared<SteppedType>();
  type->batch_rows = 500;
  type->step_rows = 20'000;
  const std::string filler(1500, 'x');
  type->meta = [&](int n) { return "{\"n\":" + std::to_string(n) + ",\"x\":\"" + filler + "\"}"; };
  MemoryPeak peak;
  // The first batches fill caches and pools; peaks count from the fourth on.
  type->before_plan = [&](const std::string& cursor) { cursor == "1500" ? peak.reset() : peak.look(); };
  LedScheduler owner(fixture, "owner");
  const auto task = fixture.addTask("t").id;
  owner.round();
  const LivePlanner planner(fixture.store().store(), "a", type);
  REQUIRE(eventually(60s, [&] { return fixture.text("select count(*) from disttask_plan where complete=1") == "1"; }));
  CHECK(fixture.text("select count(*) from tidb_background_subtask") == "20000");
  // 30 MB of metas went through.
  peak.look();
  REQUIRE(peak.grownKib());
  CHECK(*peak.grownKib() < 8 * 1024);
  CHECK(fixture.task(task).step == proto::Step(1));
}
