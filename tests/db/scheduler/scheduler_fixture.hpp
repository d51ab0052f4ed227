#pragma once
#include "disttask/proto/node.hpp"
#include "disttask/proto/task.hpp"
#include "disttask/runtime/pool.hpp"
#include "disttask/scheduler/scheduler_service.hpp"

#include "support/fake_clock.hpp"
#include "support/test_store.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace disttask::test {

/// A subtask row as the tests look at it.
struct Row {
  std::int64_t id = 0;
  std::int64_t step = 0;
  std::int64_t ordinal = 0;
  std::string exec_id;
  std::string state;
  std::string error;
  bool has_end_time = false;
};

/// A schema of its own with nodes, tasks and rows made by hand.
class SchedulerFixture {
 public:
  storage::SchedulerTable& scheduler() { return store_->schedulerTable(); }
  storage::PlanTable& plans() { return store_->planTable(); }
  storage::NodeTable& nodes() { return store_->nodeTable(); }
  TestStore& store() { return store_; }

  /// Registers a live node of scope `disttask` with 4 slots that offers type `demo`; a second call is its next life.
  proto::Node addNode(const std::string& exec_id);
  /// Renews a node's lease.
  void renew(const std::string& exec_id);
  /// Inserts a task of type `demo`; returns it as the store has it.
  proto::Task addTask(const std::string& key, const std::string& state = "pending", int step = -1);
  proto::Task task(proto::TaskId id);
  /// Inserts a subtask row; `token` 0 = NULL. Returns its id.
  std::int64_t addSubtask(
      proto::TaskId task,
      int step,
      int ordinal,
      const std::string& exec_id,
      const std::string& state,
      std::int64_t token = 0
  );
  std::vector<Row> rows(proto::TaskId task);
  Row row(std::int64_t id);
  std::string attempt(std::int64_t subtask_id);  ///< "abnormal_ends/ends_alone/last_token"
  /// Takes the role for `exec_id` where nobody has it.
  proto::Life takeRole(const std::string& exec_id = "owner");
  std::string text(const std::string& sql) { return store_.scalar(sql); }

  static runtime::Call call();

 private:
  TestStore store_;
  std::map<std::string, proto::Node> nodes_;
};

/// Makes a plan row, as the owner does, and names its step, as its planner does.
storage::Plan makePlan(
    SchedulerFixture& fixture,
    proto::Life owner,
    const proto::Task& task,
    std::optional<proto::Step> step,
    const std::string& planner = "a"
);
/// Rows with metas {"n":first}, … on the nodes in turn.
storage::PlanBatch makeBatch(
    int first,
    int count,
    const std::string& next_cursor,
    bool complete,
    const std::vector<std::string>& nodes = {"a", "b"}
);

/// A scheduler whose time and rounds the test leads.
class LedScheduler {
 public:
  LedScheduler(SchedulerFixture& fixture, const std::string& exec_id, scheduler::SchedulerSettings settings = {});
  /// One on a store of its own, as another process has it.
  LedScheduler(storage::mysql::Store& store, const std::string& exec_id, scheduler::SchedulerSettings settings = {});
  /// Runs one round and lets the delay it asked for pass.
  void round();
  FakeClock clock;
  scheduler::SchedulerService& service() { return *service_; }
  std::vector<std::vector<std::string>> nudges;
  bool renews = true;  ///< its own node lease is being renewed

 private:
  FakeTimers timers_{clock};
  runtime::ThreadPool pool_{"ctl", 1, 0, [](const Error&) {}};
  std::unique_ptr<scheduler::SchedulerService> service_;
};

}  // namespace disttask::test
