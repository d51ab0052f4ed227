#include "disttask/base/failpoint.hpp"
#include "disttask/runtime/thread_group.hpp"
#include "scheduler_fixture.hpp"

#include <catch2/catch.hpp>

#include <atomic>

using namespace disttask;
using namespace disttask::test;
using proto::kStepDone;
using proto::kStepInit;
using proto::Step;
using proto::TaskState;
using storage::Plan;
using storage::PlanKind;
using storage::PlanWrite;

namespace {

constexpr Step kOne{1};

/// Throws what a commit without an answer throws, the first time that the failpoint is passed.
class UnansweredOnce {
 public:
  explicit UnansweredOnce(const char* name) : name_(name) {
    Failpoints::arm(name, [this] {
      if (passes_++ == 0) throw Exception(ErrorCode::kStoreUnavailable, "connection lost");
    });
  }
  ~UnansweredOnce() { Failpoints::disarm(name_); }
  [[nodiscard]] int passes() const { return passes_; }

 private:
  const char* name_;
  std::atomic<int> passes_{0};
};

Plan readPlan(SchedulerFixture& fixture, const Plan& plan) {
  return fixture.scheduler().getPlan(SchedulerFixture::call(), plan.task_id, plan.kind, plan.after_step).value();
}

}  // namespace

TEST_CASE("A plan is made once, and its planner finds it", "[db][scheduler][plan]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto life = fixture.takeRole();
  const auto task = fixture.addTask("t");
  const auto plan = makePlan(fixture, life, task, std::nullopt);
  CHECK(plan.planner == "a");
  CHECK(plan.token.value() != 0);
  CHECK_FALSE(plan.step);
  CHECK(plan.next_ordinal == 1);

  Plan again = plan;
  again.planner = "b";
  fixture.scheduler().createPlan(call, life, again);
  CHECK(readPlan(fixture, plan).planner == "a");
  CHECK(readPlan(fixture, plan).token == plan.token);

  REQUIRE(fixture.plans().getPlansOf(call, "a").size() == 1);
  CHECK(fixture.plans().getPlansOf(call, "a")[0].token == plan.token);
  CHECK(fixture.plans().getPlansOf(call, "b").empty());
}

TEST_CASE("Plans of tasks that may not be planned are not offered", "[db][scheduler][plan]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto life = fixture.takeRole();
  const auto task = fixture.addTask("t", "running", 1);
  makePlan(fixture, life, task, std::nullopt);
  Plan revert;
  revert.task_id = task.id;
  revert.kind = PlanKind::kRevert;
  revert.after_step = kOne;
  revert.planner = "a";
  fixture.scheduler().createPlan(call, life, revert);

  const auto offered = [&] {
    const auto plans = fixture.plans().getPlansOf(call, "a");
    REQUIRE(plans.size() <= 1);
    return plans.empty() ? "none" : plans[0].kind == PlanKind::kRevert ? "revert" : "step";
  };
  CHECK(offered() == std::string("step"));
  for (const auto* state : {"cancelling", "pausing", "paused", "reverted"}) {
    fixture.store().execute(std::string("update tidb_global_task set state='") + state + "'");
    CHECK(offered() == std::string("none"));
  }
  fixture.store().execute("update tidb_global_task set state='reverting'");
  CHECK(offered() == std::string("revert"));
  revert = readPlan(fixture, revert);
  CHECK(fixture.plans().complete(call, revert) == PlanWrite::kApplied);
  CHECK(fixture.plans().complete(call, revert) == PlanWrite::kApplied);
  CHECK(offered() == std::string("none"));
}

TEST_CASE("A node's plans come in the rank order of their tasks", "[db][scheduler][plan]") {
  SchedulerFixture fixture;
  const auto life = fixture.takeRole();
  for (const auto* key : {"low", "first", "second"}) makePlan(fixture, life, fixture.addTask(key), std::nullopt);
  fixture.store().execute("update tidb_global_task set priority=900 where task_key='low'");
  std::vector<std::string> keys;
  for (const auto& plan : fixture.plans().getPlansOf(SchedulerFixture::call(), "a")) {
    keys.push_back(fixture.task(plan.task_id).key);
  }
  CHECK(keys == std::vector<std::string>{"first", "second", "low"});
}

TEST_CASE("The first batch enters the step and later ones go on by ordinal", "[db][scheduler][plan]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto task = fixture.addTask("t");
  auto plan = makePlan(fixture, fixture.takeRole(), task, kOne);

  REQUIRE(fixture.plans().writeBatch(call, task, plan, makeBatch(1, 3, "at 3", false)) == PlanWrite::kApplied);
  CHECK(plan.cursor == "at 3");
  CHECK(plan.next_ordinal == 4);
  const auto entered = fixture.task(task.id);
  CHECK(entered.state == TaskState::kRunning);
  CHECK(entered.step == kOne);
  CHECK(entered.start_time > 0);
  CHECK(
      fixture.text(
          "select concat_ws(',', step, task_key, ddl_physical_tid is null, type, exec_id, state, checkpoint, "
          "concurrency, "
          "create_time is not null, start_time is null, end_time is null, meta, ordinal, error is null, summary) "
          "from tidb_background_subtask where ordinal=2"
      ) == "1," + std::to_string(task.id.value()) + ",1,0,b,pending,{},2,1,1,1,{\"n\":2},2,1,{}"
  );

  REQUIRE(fixture.plans().writeBatch(call, task, plan, makeBatch(4, 2, "", true)) == PlanWrite::kApplied);
  const auto rows = fixture.rows(task.id);
  REQUIRE(rows.size() == 5);
  for (std::size_t i = 0; i < rows.size(); ++i) CHECK(rows[i].ordinal == static_cast<int>(i) + 1);
  const auto now = readPlan(fixture, plan);
  CHECK(now.complete);
  CHECK(now.next_ordinal == 6);
  CHECK(now.step == kOne);
  CHECK(fixture.plans().getPlansOf(call, "a").empty());
}

TEST_CASE("A batch of a thousand rows with metas of any size goes in whole", "[db][scheduler][plan]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto task = fixture.addTask("t");
  auto plan = makePlan(fixture, fixture.takeRole(), task, kOne);
  auto batch = makeBatch(1, 1000, "next", false);
  batch.rows[500].meta = std::string(600'000, 'x');
  batch.rows[501].meta = std::string(600'000, 'y');
  batch.rows[502].meta = std::string("nul\0byte", 8);
  REQUIRE(fixture.plans().writeBatch(call, task, plan, batch) == PlanWrite::kApplied);
  CHECK(fixture.rows(task.id).size() == 1000);
  CHECK(fixture.text("select length(meta) from tidb_background_subtask where ordinal=502") == "600000");
  CHECK(fixture.text("select hex(meta) from tidb_background_subtask where ordinal=503") == "6E756C0062797465");
  CHECK(fixture.text("select meta from tidb_background_subtask where ordinal=1000") == "{\"n\":1000}");

  batch = makeBatch(1, 1001, "more", false);
  CHECK_THROWS_AS(fixture.plans().writeBatch(call, task, plan, batch), Exception);
  CHECK(fixture.rows(task.id).size() == 1000);
}

TEST_CASE("An empty complete batch enters its step too", "[db][scheduler][plan]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto task = fixture.addTask("t");
  auto plan = makePlan(fixture, fixture.takeRole(), task, kOne);
  REQUIRE(fixture.plans().writeBatch(call, task, plan, makeBatch(1, 0, "", true)) == PlanWrite::kApplied);
  CHECK(fixture.task(task.id).step == kOne);
  CHECK(fixture.rows(task.id).empty());
  CHECK(readPlan(fixture, plan).complete);
}

TEST_CASE("A batch writes nothing once its planner or its task has changed", "[db][scheduler][plan]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto life = fixture.takeRole();
  const auto task = fixture.addTask("t");
  auto plan = makePlan(fixture, life, task, kOne);
  const bool has_first = GENERATE(false, true);
  if (has_first)
    REQUIRE(fixture.plans().writeBatch(call, task, plan, makeBatch(1, 3, "at 3", false)) == PlanWrite::kApplied);

  SECTION("cancelled") {
    fixture.store().execute("update tidb_global_task set state='cancelling'");
  }
  SECTION("reverting") {
    fixture.store().execute("update tidb_global_task set state='reverting'");
  }
  SECTION("another step") {
    fixture.store().execute("update tidb_global_task set state='running', step=7");
  }
  SECTION("another meta") {
    fixture.store().execute("update tidb_global_task set meta='{\"job\":2}'");
  }
  SECTION("no task") {
    fixture.store().execute("delete from tidb_global_task");
  }
  SECTION("given to another planner") {
    fixture.scheduler().assignPlan(call, life, plan, "b");
    CHECK(readPlan(fixture, plan).planner == "b");
    CHECK(readPlan(fixture, plan).token != plan.token);
    CHECK(fixture.plans().setError(call, plan, "late", true, {}) == PlanWrite::kFenced);
    CHECK(fixture.plans().setStep(call, task, plan, Step(9)) == PlanWrite::kFenced);
    CHECK_FALSE(readPlan(fixture, plan).failed);
  }
  SECTION("failed") {
    REQUIRE(fixture.plans().setError(call, plan, "broken", true, {}) == PlanWrite::kApplied);
  }
  const auto before = readPlan(fixture, plan);
  CHECK(fixture.plans().writeBatch(call, task, plan, makeBatch(4, 3, "at 6", false)) == PlanWrite::kFenced);
  CHECK(fixture.rows(task.id).size() == (has_first ? 3 : 0));
  CHECK(readPlan(fixture, plan).cursor == before.cursor);
  CHECK(plan.cursor == before.cursor);
}

TEST_CASE("A batch whose commit was not answered is in once", "[db][scheduler][plan]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto task = fixture.addTask("t");
  auto plan = makePlan(fixture, fixture.takeRole(), task, kOne);
  const bool is_last = GENERATE(false, true);
  const auto batch = makeBatch(1, 10, is_last ? "" : "at 10", is_last);

  SECTION("the commit went through") {
    const UnansweredOnce lost("plan.batch_committed");
    CHECK(fixture.plans().writeBatch(call, task, plan, batch) == PlanWrite::kApplied);
    CHECK(lost.passes() == 2);
  }
  SECTION("the commit did not go through") {
    const UnansweredOnce lost("plan.batch_before_commit");
    CHECK(fixture.plans().writeBatch(call, task, plan, batch) == PlanWrite::kApplied);
    CHECK(lost.passes() == 2);
  }
  SECTION("the planner restarts and writes the same batch again") {
    auto copy = plan;
    REQUIRE(fixture.plans().writeBatch(call, task, copy, batch) == PlanWrite::kApplied);
    CHECK(fixture.plans().writeBatch(call, task, plan, batch) == PlanWrite::kApplied);
  }
  SECTION("the task has gone on before the batch was sent again") {
    auto copy = plan;
    REQUIRE(fixture.plans().writeBatch(call, task, copy, batch) == PlanWrite::kApplied);
    fixture.store().execute("update tidb_global_task set step=2");
    CHECK(fixture.plans().writeBatch(call, task, plan, batch) == PlanWrite::kApplied);
  }
  CHECK(fixture.rows(task.id).size() == 10);
  CHECK(plan.next_ordinal == 11);
  CHECK(plan.complete == is_last);
  CHECK(readPlan(fixture, plan).next_ordinal == 11);
}

TEST_CASE("Two planners with one plan lose no ordinal and double none", "[db][scheduler][plan]") {
  SchedulerFixture fixture;
  const auto task = fixture.addTask("t");
  const auto plan = makePlan(fixture, fixture.takeRole(), task, kOne);
  std::atomic<int> failures{0};
  // Both walk the same cursor, as a planner that hangs and its next life do; the batches of one differ from the
  // other's.
  const auto walk = [&](int size) {
    auto mine = plan;
    try {
      while (mine.next_ordinal <= 200) {
        const auto at = std::to_string(mine.next_ordinal + size - 1);
        const auto batch = makeBatch(mine.next_ordinal, size, at, false);
        if (fixture.plans().writeBatch(SchedulerFixture::call(), task, mine, batch) == PlanWrite::kFenced) {
          mine = readPlan(fixture, plan);
        }
      }
    } catch (const Exception&) {
      ++failures;
    }
  };
  {
    runtime::ThreadGroup threads;
    threads.spawn("planner-1", [&] { walk(3); });
    threads.spawn("planner-2", [&] { walk(7); });
  }
  CHECK(failures == 0);
  const auto rows = fixture.rows(task.id);
  CHECK(rows.size() >= 200);
  for (std::size_t i = 0; i < rows.size(); ++i) REQUIRE(rows[i].ordinal == static_cast<int>(i) + 1);
  CHECK(static_cast<int>(rows.size()) + 1 == readPlan(fixture, plan).next_ordinal);
  CHECK(
      fixture.text("select count(*) from tidb_background_subtask where meta <> concat('{\"n\":', ordinal, '}')") == "0"
  );
}

TEST_CASE("A step number is entered once per task", "[db][scheduler][plan]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto life = fixture.takeRole();
  auto task = fixture.addTask("t");
  auto plan = makePlan(fixture, life, task, kOne);
  REQUIRE(fixture.plans().writeBatch(call, task, plan, makeBatch(1, 1, "", true)) == PlanWrite::kApplied);
  task = fixture.task(task.id);
  plan = makePlan(fixture, life, task, std::nullopt);
  CHECK(plan.after_step == kOne);
  try {
    const auto outcome = fixture.plans().setStep(call, task, plan, kOne);
    FAIL("setStep returned " << static_cast<int>(outcome));
  } catch (const Exception& e) {
    CHECK(e.error().code() == ErrorCode::kInvalidArgument);
    CHECK_THAT(e.error().message(), Catch::Contains("step 1 a second time"));
  }
  CHECK(fixture.plans().setStep(call, task, plan, kStepDone) == PlanWrite::kApplied);
  CHECK(fixture.plans().setStep(call, task, plan, kStepDone) == PlanWrite::kApplied);
  CHECK(fixture.plans().setStep(call, task, plan, Step(3)) == PlanWrite::kFenced);
  CHECK(readPlan(fixture, plan).complete);
  CHECK(readPlan(fixture, plan).step == kStepDone);
}

TEST_CASE("A step that was chosen for a task as it was is not written", "[db][scheduler][plan]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto read = fixture.addTask("t");
  const auto plan = makePlan(fixture, fixture.takeRole(), read, std::nullopt);
  const auto step = GENERATE(kOne, kStepDone);
  const auto* change = GENERATE(
      "meta='{\"job\":2}'",
      "concurrency=3",
      "max_node_count=1",
      "state='modifying'",
      "state='cancelling'",
      "state='running', step=7"
  );
  fixture.store().execute(std::string("update tidb_global_task set ") + change);
  CHECK(fixture.plans().setStep(call, read, plan, step) == PlanWrite::kFenced);
  CHECK_FALSE(readPlan(fixture, plan).step);
  CHECK_FALSE(readPlan(fixture, plan).complete);
}

TEST_CASE("A planning error is kept, waited for or final", "[db][scheduler][plan]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto task = fixture.addTask("t");
  auto plan = makePlan(fixture, fixture.takeRole(), task, kOne);

  REQUIRE(fixture.plans().setError(call, plan, "file is busy", false, std::chrono::minutes(5)) == PlanWrite::kApplied);
  CHECK(fixture.plans().setError(call, plan, "file is busy", false, std::chrono::minutes(5)) == PlanWrite::kApplied);
  CHECK(fixture.plans().getPlansOf(call, "a").empty());
  plan = readPlan(fixture, plan);
  CHECK(plan.retries == 1);
  CHECK(plan.error == "file is busy");
  CHECK_FALSE(plan.failed);
  // A wait is no try.
  REQUIRE(fixture.plans().setWait(call, plan, "no node", std::chrono::minutes(5)) == PlanWrite::kApplied);
  CHECK(fixture.plans().setWait(call, plan, "no node", std::chrono::minutes(5)) == PlanWrite::kApplied);
  CHECK(fixture.plans().getPlansOf(call, "a").empty());
  CHECK(readPlan(fixture, plan).retries == 1);
  CHECK(readPlan(fixture, plan).error == "no node");
  fixture.store().execute("update disttask_plan set not_before=not_before+86400000");  // beyond any back-off: a mistake
  CHECK(fixture.plans().getPlansOf(call, "a").size() == 1);

  REQUIRE(fixture.plans().setError(call, plan, "file is \xff gone", true, {}) == PlanWrite::kApplied);
  CHECK(fixture.plans().getPlansOf(call, "a").empty());
  CHECK(readPlan(fixture, plan).failed);
  CHECK(readPlan(fixture, plan).error == "file is \xEF\xBF\xBD gone");
}

TEST_CASE("Result metas of succeeded subtasks come in pages by ordinal", "[db][scheduler][plan]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto task = fixture.addTask("t", "running", 1);
  for (int i = 1; i <= 6; ++i) fixture.addSubtask(task.id, 1, i, "a", i == 3 ? "failed" : "succeed");
  fixture.addSubtask(task.id, 2, 1, "a", "succeed");
  fixture.store().execute("update tidb_background_subtask set meta=concat('m', step, ordinal)");
  using Metas = std::vector<std::pair<std::int32_t, std::string>>;
  CHECK(fixture.plans().getResultMetas(call, task.id, kOne, 0, 3) == Metas{{1, "m11"}, {2, "m12"}, {4, "m14"}});
  CHECK(fixture.plans().getResultMetas(call, task.id, kOne, 4, 3) == Metas{{5, "m15"}, {6, "m16"}});
  CHECK(fixture.plans().getResultMetas(call, task.id, kOne, 6, 3).empty());
}

TEST_CASE("A plan that is handed on belongs to the next node at once and keeps its place", "[db][scheduler][plan]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto life = fixture.takeRole();
  const auto task = fixture.addTask("t");
  auto plan = makePlan(fixture, life, task, kOne);
  CHECK(plan.handed_back.empty());
  REQUIRE(fixture.plans().writeBatch(call, task, plan, makeBatch(1, 3, "at 3", false)) == PlanWrite::kApplied);
  REQUIRE(fixture.plans().setError(call, plan, "busy", false, std::chrono::minutes(5)) == PlanWrite::kApplied);

  REQUIRE(fixture.plans().handOn(call, plan, "b", "file is \xff missing") == PlanWrite::kApplied);
  CHECK(fixture.plans().getPlansOf(call, "a").empty());
  REQUIRE(fixture.plans().getPlansOf(call, "b").size() == 1);  // not only after the back-off
  auto now = fixture.plans().getPlansOf(call, "b")[0];
  CHECK(now.token != plan.token);
  CHECK(now.handed_back == std::vector<std::string>{"a"});
  CHECK(now.error == "file is \xEF\xBF\xBD missing");
  CHECK_FALSE(now.failed);
  CHECK(now.step == kOne);
  CHECK(now.cursor == "at 3");
  CHECK(now.next_ordinal == 4);

  // The old token writes nothing.
  CHECK(fixture.plans().handOn(call, plan, "c", "late") == PlanWrite::kFenced);
  CHECK(fixture.plans().writeBatch(call, task, plan, makeBatch(4, 3, "at 6", false)) == PlanWrite::kFenced);
  CHECK(readPlan(fixture, plan).planner == "b");
  CHECK(readPlan(fixture, plan).token == now.token);
  CHECK(readPlan(fixture, plan).error == now.error);
  CHECK(readPlan(fixture, plan).handed_back == now.handed_back);

  // Who cannot plan it stays known when the owner gives it away, and nobody is named twice.
  fixture.scheduler().assignPlan(call, life, now, "a");
  now = readPlan(fixture, plan);
  CHECK(now.planner == "a");
  CHECK(now.handed_back == std::vector<std::string>{"a"});
  REQUIRE(fixture.plans().handOn(call, now, "b", "missing") == PlanWrite::kApplied);
  now = readPlan(fixture, plan);
  CHECK(now.handed_back == std::vector<std::string>{"a"});
  REQUIRE(fixture.plans().handOn(call, now, "c", "missing") == PlanWrite::kApplied);
  CHECK(readPlan(fixture, plan).handed_back == std::vector<std::string>{"a", "b"});
}

TEST_CASE("A plan that has failed is not handed on", "[db][scheduler][plan]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto plan = makePlan(fixture, fixture.takeRole(), fixture.addTask("t"), kOne);
  REQUIRE(fixture.plans().setError(call, plan, "broken", true, {}) == PlanWrite::kApplied);
  CHECK(fixture.plans().handOn(call, plan, "b", "late") == PlanWrite::kFenced);
  CHECK(readPlan(fixture, plan).planner == "a");
  CHECK(readPlan(fixture, plan).error == "broken");
}

TEST_CASE("A plan whose handing on was not answered is handed on once", "[db][scheduler][plan]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto life = fixture.takeRole();
  const auto plan = makePlan(fixture, life, fixture.addTask("t"), kOne);
  SECTION("the commit went through") {
    const UnansweredOnce lost("plan.update_committed");
    CHECK(fixture.plans().handOn(call, plan, "b", "missing") == PlanWrite::kApplied);
    CHECK(lost.passes() == 1);  // the row tells by its token
  }
  SECTION("the commit did not go through") {
    const UnansweredOnce lost("plan.update_before_commit");
    CHECK(fixture.plans().handOn(call, plan, "b", "missing") == PlanWrite::kApplied);
    CHECK(lost.passes() == 2);
  }
  CHECK(readPlan(fixture, plan).planner == "b");
  CHECK(readPlan(fixture, plan).handed_back == std::vector<std::string>{"a"});
}
