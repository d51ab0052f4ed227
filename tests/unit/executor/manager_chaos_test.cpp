// Several nodes on one store in real time, while calls fail, rows move and nodes vanish.
#include "disttask/base/random.hpp"
#include "disttask/runtime/timers.hpp"
#include "executor_fixture.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using proto::SubtaskState;

namespace {

/// One process: its own tokens, threads and Manager.
struct Process {
  Process(storage::MemoryRows& rows, Script& script, const proto::ExecId& exec_id)
      : table(rows), ctl("ctl", 2, 8, {}), work("work", 6, 0, {}) {
    executor::ExecutorSettings settings;
    settings.exec_id = exec_id;
    settings.slots = 4;
    settings.task_check_interval = settings.subtask_check_interval = 5ms;
    settings.max_check_interval = 20ms;
    settings.ownership_check_interval = settings.summary_interval = 10ms;
    settings.idle_exit = 50ms;
    settings.retry_window = 100ms;
    reactor.start();
    registry.add(
        "t",
        {[&script](const auto& context, const auto& id, const auto& task, auto& task_table)
             -> std::unique_ptr<executor::TaskExecutor> {
           return std::make_unique<ScriptedExecutor>(script, context, id, task, task_table);
         },
         options(),
         "test"}
    );
    manager = std::make_unique<executor::Manager>(
        settings, executor::ManagerParts{table, registry, runtime::systemClock(), reactor, ctl, work, lease}
    );
    manager->start();
  }
  ~Process() {
    manager.reset();  // as a killed process: nothing more is written
    reactor.stop();
  }
  static plugin::TaskTypeOptions options() {
    plugin::TaskTypeOptions options;
    options.parallel_subtasks = 3;
    options.backoff = {1ms, 5ms, 0.5};
    options.retry_limit = 1000;
    return options;
  }

  storage::MemoryTaskTable table;
  executor::EndlessLease lease;
  runtime::Reactor reactor;
  runtime::ThreadPool ctl;
  runtime::ThreadPool work;
  executor::TaskExecutorRegistry registry;
  std::unique_ptr<executor::Manager> manager;
};

/// Says whether any subtask ever ran twice at the same time.
class Overlaps {
 public:
  void begin(proto::SubtaskId id) {
    const std::lock_guard lock(mutex_);
    if (++running_[id] > 1) ++overlaps_;
  }
  void end(proto::SubtaskId id) {
    const std::lock_guard lock(mutex_);
    --running_[id];
  }
  [[nodiscard]] int count() const {
    const std::lock_guard lock(mutex_);
    return overlaps_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<proto::SubtaskId, int> running_;
  int overlaps_ = 0;
};

}  // namespace

TEST_CASE("Every subtask ends once while calls fail, rows move, and nodes vanish and come back", "[executor][chaos]") {
  constexpr int kNumSubtasks = 900;
  const observability::LogCapture log;
  storage::MemoryRows rows;
  Script script;
  Overlaps overlaps;
  script.run = [&](auto& context, auto& subtask) {
    overlaps.begin(subtask.id);
    context.sleepFor(std::chrono::microseconds(randomBelow(2000)));
    overlaps.end(subtask.id);
    if (context.token().cancelled()) throw Exception(ErrorCode::kCancelled, "cancelled");
    if (randomBelow(20) == 0) throw Exception(Error(ErrorCode::kPluginFailed, Reaction::kRetry, "not now"));
    subtask.meta = "result";
  };
  const std::vector<proto::ExecId> names{"a", "b", "c"};
  std::vector<proto::TaskId> tasks;
  for (int t = 0; t < 3; ++t) {
    proto::Task task;
    task.type = "t";
    task.state = proto::TaskState::kRunning;
    task.step = kStepOne;
    task.slots = t + 1;
    tasks.push_back(rows.insertTask(task));
    for (int i = 0; i < kNumSubtasks / 3; ++i) {
      proto::Subtask row;
      row.task_id = tasks.back();
      row.step = kStepOne;
      row.exec_id = names[static_cast<std::size_t>(i) % names.size()];
      rows.insertSubtask(row);
    }
  }
  rows.injectByChance(50);
  std::map<proto::ExecId, std::unique_ptr<Process>> processes;
  for (const auto& name : names) processes[name] = std::make_unique<Process>(rows, script, name);

  const auto is_done = [](const storage::MemoryRows::Data& data) {
    return std::all_of(data.subtasks.begin(), data.subtasks.end(), [](const auto& entry) {
      return proto::isDone(entry.second.state);
    });
  };
  bool done = false;
  int round = 0;
  std::int64_t ended_before = 0;
  const runtime::Deadline deadline(runtime::systemClock(), 200s);
  while (!done && !deadline.isReached()) {
    done = rows.waitUntil(is_done, 10ms);
    // What an owner does: moves pending rows.
    rows.change([&](auto& data) {
      for (auto& [id, row] : data.subtasks) {
        if (row.state == SubtaskState::kPending && randomBelow(10) == 0) row.exec_id = names[randomBelow(3)];
      }
    });
    // Each life ends something: on a slow machine it is longer.
    std::int64_t ended = 0;
    rows.change([&](auto& data) {
      ended = std::count_if(data.subtasks.begin(), data.subtasks.end(), [](const auto& entry) {
        return proto::isDone(entry.second.state);
      });
    });
    if (++round >= 10 && ended > ended_before) {
      round = 0;
      ended_before = ended;
      const auto& name = names[randomBelow(3)];
      processes[name].reset();
      processes[name] = std::make_unique<Process>(rows, script, name);
    }
  }
  REQUIRE(done);
  CHECK(overlaps.count() == 0);
  for (const auto task : tasks) {
    for (const auto& row : rows.subtasks(task)) {
      // Vanishing counts as an abnormal end: many of them may have failed a subtask, and that is the only way to fail
      // here.
      if (row.state == SubtaskState::kFailed) {
        CHECK_THAT(row.error, Catch::Matchers::Contains("ended its node"));
      } else {
        CHECK(row.state == SubtaskState::kSucceed);
        CHECK(row.meta == "result");
      }
    }
  }
}
