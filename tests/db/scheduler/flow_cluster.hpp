#pragma once
#include "scheduler_fixture.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace disttask::test {

using proto::Step;
using proto::TaskState;
using storage::PlanKind;

/// A whole cluster in one test: the store, one led scheduler, and nodes whose planning and running is done by hand.
/// Type `demo` has steps 1 and 2.
class Cluster : public SchedulerFixture {
 public:
  explicit Cluster(std::vector<std::string> names, scheduler::SchedulerSettings settings = {})
      : alive(std::move(names)), owner(*this, "owner", settings) {
    for (const auto& name : alive) addNode(name);
  }

  /// One round of everybody: nodes renew and plan, the scheduler acts.
  void turn() {
    for (const auto& name : alive) renew(name);
    owner.round();
    if (plans_go_on) {
      for (const auto& name : alive) planOn(name);
    }
  }
  /// Turns until the task is in this state; false when it never gets there.
  bool turnUntil(proto::TaskId id, TaskState state, int limit = 60) {
    for (int i = 0; i < limit; ++i) {
      if (task(id).state == state) return true;
      turn();
    }
    return task(id).state == state;
  }
  template <typename F>
  bool turnUntil(F done, int limit = 60) {
    for (int i = 0; i < limit; ++i) {
      if (done()) return true;
      turn();
    }
    return false;
  }

  void planOn(const std::string& name) {
    for (auto plan : plans().getPlansOf(call(), name)) {
      planners.insert(name);
      if (plan.kind == PlanKind::kCleanUp && !clean_ups_go_on) continue;
      if (plan.kind == PlanKind::kCleanUp) {
        REQUIRE(plans().complete(call(), plan) == storage::PlanWrite::kApplied);
        continue;
      }
      if (plan.kind == PlanKind::kRevert) {
        reverts.push_back(text("select count(*) from tidb_background_subtask where state in ('pending','running')"));
        REQUIRE(plans().complete(call(), plan) == storage::PlanWrite::kApplied);
        continue;
      }
      if (!plan.step) {
        plan.step = plan.after_step == proto::kStepInit ? Step(1)
                    : plan.after_step == Step(1)        ? Step(2)
                                                        : proto::kStepDone;
        REQUIRE(plans().setStep(call(), task(plan.task_id), plan, *plan.step) == storage::PlanWrite::kApplied);
        if (*plan.step == proto::kStepDone) continue;
      }
      const auto whole = task(plan.task_id);
      const bool last = plan.next_ordinal > rows_per_step / 2;
      const auto batch = makeBatch(
          plan.next_ordinal,
          rows_per_step / 2,
          std::to_string(plan.next_ordinal),
          last,
          placed_on.empty() ? alive : placed_on
      );
      REQUIRE(plans().writeBatch(call(), whole, plan, batch) == storage::PlanWrite::kApplied);
    }
  }
  /// All pending rows of a node, or with `limit` that many, end in this state.
  std::int64_t run(const std::string& name, const std::string& state = "succeed", int limit = 1'000'000) {
    return store().execute(
        "update tidb_background_subtask set state='" + state +
        "', start_time=unix_timestamp(), end_time=now(), error=" +
        (state == "failed" ? std::string("'{\"class\":0,\"code\":0,\"message\":\"line 7\",\"rfccode\":\"\"}'") : "null"
        ) +
        " where exec_id='" + name + "' and state='pending' order by id limit " + std::to_string(limit)
    );
  }
  std::int64_t begin(const std::string& name, int limit) {
    return store().execute(
        "update tidb_background_subtask set state='running', ddl_physical_tid=77 where exec_id='" + name +
        "' and state='pending' "
        "order by id limit " +
        std::to_string(limit)
    );
  }
  std::map<std::string, int> countBy(proto::TaskId id, const std::string& state) {
    std::map<std::string, int> counts;
    for (const auto& row : rows(id)) {
      if (row.state == state) ++counts[row.exec_id];
    }
    return counts;
  }
  void handBack(const std::string& name, const std::vector<std::string>& by) {
    std::string json;
    for (const auto& id : by) json += (json.empty() ? "[\"" : ",\"") + id + "\"";
    store().execute(
        "insert into disttask_attempt (subtask_id, task_id, handed_back, last_error) select id, cast(task_key as "
        "signed), '" +
        json + "]', 'no such file' from tidb_background_subtask where exec_id='" + name +
        "' and state='pending' on duplicate key update handed_back=values(handed_back)"
    );
  }

  std::vector<std::string> alive;
  LedScheduler owner;
  bool plans_go_on = true;
  bool clean_ups_go_on = true;
  int rows_per_step = 8;
  std::vector<std::string> placed_on;  ///< where planners place rows; empty = on all
  std::set<std::string> planners;
  std::vector<std::string> reverts;  ///< active rows at each run of the revert hook
};

}  // namespace disttask::test
