// Planning errors as the operator sees them: tried again later, given up at the limit, or fatal at once.
#include "disttask/base/error.hpp"
#include "reasons_fixture.hpp"

#include "support/wait.hpp"

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using proto::TaskState;
using reasons::Code;

namespace {

/// A task whose planner on node `a` throws `error` at each batch while `fails`; the role is led by the test.
class FailingPlan : public Waiting {
 public:
  explicit FailingPlan(Reaction reaction) {
    REQUIRE(scheduler().releaseOwnership(call(), life));
    type->before_plan = [this, reaction](const std::string&) {
      if (fails) throw Exception(Error(ErrorCode::kPluginFailed, reaction, "the index is busy"));
    };
    id = addTask("t").id;
    owner.round();
  }
  /// A planner that rests this long after an error that may pass.
  std::unique_ptr<LivePlanner> startPlanner(runtime::Duration back_off, std::int32_t limit) {
    return std::make_unique<LivePlanner>(
        store().store(), "a", type, std::function<void()>(), 10ms, PlannerRetries{{back_off, back_off, 0}, limit}
    );
  }
  std::string plan(const std::string& column) {
    return text("select " + column + " from disttask_plan where task_id=" + std::to_string(id.value()));
  }
  bool leadTo(TaskState state) {
    return eventually([&] {
      renew("a");
      owner.round();
      return task(id).state == state;
    });
  }

  const std::shared_ptr<SteppedType> type = std::make_shared<SteppedType>();
  LedScheduler owner{*this, "a"};
  proto::TaskId id;
  std::atomic<bool> fails{true};
};

}  // namespace

TEST_CASE(
    "A planning error that may pass says until when the plan rests, and the plan goes on then",
    "[db][scheduler][reasons]"
) {
  FailingPlan failing(Reaction::kRetry);
  const auto planner = failing.startPlanner(50min, 5);
  REQUIRE(eventually([&] { return failing.plan("retries") == "1"; }));
  const auto reason = failing.find(failing.id, Code::kPlanBackOff);
  CHECK_THAT(reason.text, Contains("on a after try 1: the index is busy"));
  const auto now = std::stoll(failing.text("select unix_timestamp()"));
  CHECK(reason.until.value() > now + 2900);
  CHECK(reason.until.value() <= now + 3001);
  // Looks of the planner do not wake it before.
  const auto looks = planner->service().numLooks();
  REQUIRE(eventually([&] { return planner->service().numLooks() > looks + 3; }));
  CHECK(failing.plan("retries") == "1");

  failing.fails = false;
  failing.store().execute("update disttask_plan set not_before=0");
  REQUIRE(eventually([&] { return failing.plan("complete") == "1"; }));
  CHECK(failing.plan("retries") == "0");
  CHECK(failing.rows(failing.id).size() == 30);
}

TEST_CASE(
    "A planning error that may pass fails the plan at its limit, and the task reverts with it",
    "[db][scheduler][reasons]"
) {
  FailingPlan failing(Reaction::kRetry);
  const auto planner = failing.startPlanner(1ms, 3);
  REQUIRE(eventually([&] { return failing.plan("failed") == "1"; }));
  CHECK(failing.plan("retries") == "4");
  CHECK(failing.find(failing.id, Code::kPlanFailed).text == "planning has failed: the index is busy");
  REQUIRE(failing.leadTo(TaskState::kReverted));
  CHECK(failing.task(failing.id).error == "the index is busy");
}

TEST_CASE(
    "A planning error that may not pass fails the plan at once, and the task reverts with it",
    "[db][scheduler][reasons]"
) {
  FailingPlan failing(Reaction::kGiveUp);
  const auto planner = failing.startPlanner(1ms, 3);
  REQUIRE(eventually([&] { return failing.plan("failed") == "1"; }));
  CHECK(failing.plan("retries") == "1");
  CHECK(failing.find(failing.id, Code::kPlanFailed).text == "planning has failed: the index is busy");
  REQUIRE(failing.leadTo(TaskState::kReverted));
  CHECK(failing.task(failing.id).error == "the index is busy");
}

TEST_CASE(
    "A batch that is written after an error begins the count of errors anew, for its planner too",
    "[db][scheduler][plan]"
) {
  SchedulerFixture fixture;
  fixture.addNode("a");
  const auto call = SchedulerFixture::call();
  const auto task = fixture.addTask("t");
  const auto life = fixture.takeRole();
  auto plan = makePlan(fixture, life, task, proto::Step(1));
  const auto read = [&] {
    return fixture.scheduler().getPlan(call, task.id, storage::PlanKind::kStep, task.step).value();
  };
  REQUIRE(fixture.plans().setError(call, plan, "busy", false, {}) == storage::PlanWrite::kApplied);
  plan = read();
  REQUIRE(plan.retries == 1);
  REQUIRE(
      fixture.plans().writeBatch(call, task, plan, makeBatch(1, 10, "10", false, {"a"})) == storage::PlanWrite::kApplied
  );
  CHECK(plan.retries == 0);
  CHECK(fixture.plans().setError(call, plan, "busy again", false, {}) == storage::PlanWrite::kApplied);
  CHECK(read().retries == 1);
  CHECK(read().error == "busy again");
}
