// A task type that runs in the process of a program of your own: no plugin, no daemon.
//
//   disttask_embedded mysql://USER[:PASSWORD]@HOST[:PORT]/SCHEMA[?socket=PATH]
//
// Installs the tables in SCHEMA if they are missing, becomes a node of that store, submits one task of its own type,
// runs it, and prints what came out. Start it on several machines at once, and each takes a part of the subtasks.
#include "disttask/base/random.hpp"
#include "disttask/executor/manager.hpp"
#include "disttask/executor/node_lease.hpp"
#include "disttask/planning/planning_service.hpp"
#include "disttask/scheduler/scheduler_service.hpp"
#include "disttask/sqlclient/dsn.hpp"
#include "disttask/storage/mysql/store.hpp"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

using namespace disttask;

namespace {

constexpr proto::Step kCount{1};
constexpr std::int64_t kNumbersPerSubtask = 1000;

/// Counts the primes of its range. The subtask's meta is the first number of the range; the result is how many primes
/// there are.
class CountPrimes final : public plugin::EmptyStepExecutor {
 public:
  void runSubtask(plugin::RunContext& context, proto::Subtask& subtask) override {
    const auto first = std::stoll(subtask.meta);
    std::int64_t primes = 0;
    for (auto number = first; number < first + kNumbersPerSubtask; ++number) {
      context.token().throwIfCancelled();
      if (isPrime(number)) ++primes;
    }
    context.addProgress(kNumbersPerSubtask, 0, 0);
    subtask.meta = std::to_string(primes);  // what is in the meta at the end is the result
  }

 private:
  static bool isPrime(std::int64_t number) {
    if (number < 2) return false;
    for (std::int64_t divisor = 2; divisor * divisor <= number; ++divisor) {
      if (number % divisor == 0) return false;
    }
    return true;
  }
};

/// The task type: one step, whose subtasks are ranges of numbers. The task's meta is the number up to which to count.
class PrimesType final : public plugin::TaskType {
 public:
  [[nodiscard]] const std::string& name() const noexcept override { return name_; }
  [[nodiscard]] const std::string& version() const noexcept override { return version_; }
  [[nodiscard]] const std::string& origin() const noexcept override { return origin_; }
  [[nodiscard]] plugin::TaskTypeOptions options() const noexcept override {
    plugin::TaskTypeOptions options;
    options.parallel_subtasks = 0;  // as many at a time as this node has slots
    return options;
  }
  void validate(const std::string& meta) override { static_cast<void>(std::stoll(meta)); }
  proto::Step nextStep(const runtime::CancelToken&, const proto::Task&, proto::Step after) override {
    return after == proto::kStepInit ? kCount : proto::kStepDone;
  }
  plugin::PlannedBatch plan(
      plugin::PlanContext&,
      const proto::Task& task,
      proto::Step,
      const std::string& cursor,
      const plugin::PlanLimits& limits
  ) override {
    const auto end = std::stoll(task.meta);
    auto first = cursor.empty() ? std::int64_t{0} : std::stoll(cursor);
    plugin::PlannedBatch batch;
    for (; first < end && static_cast<std::int32_t>(batch.metas.size()) < limits.max_rows;
         first += kNumbersPerSubtask) {
      batch.metas.push_back(std::to_string(first));
    }
    batch.next_cursor = std::to_string(first);
    batch.complete = first >= end;
    return batch;
  }
  void revert(const runtime::CancelToken&, const proto::Task&) override {}
  std::unique_ptr<plugin::StepExecutor> createStepExecutor(const proto::Task&) override {
    return std::make_unique<CountPrimes>();
  }
  [[nodiscard]] bool isIdempotent(const proto::Subtask&) override { return true; }
  [[nodiscard]] bool isRetryableError(const Error&) override { return false; }

 private:
  const std::string name_ = "primes";
  const std::string version_ = "1";
  const std::string origin_ = "embedded example";
};

/// Everything a node is made of. Members are destroyed in reverse order: what is used outlives what uses it.
class Node {
 public:
  Node(storage::mysql::Store& store, const std::string& exec_id, const std::filesystem::path& state_dir)
      : type_(std::make_shared<PrimesType>()),
        lease_(leaseSettings(exec_id, state_dir), store.nodeTable(), clock_, reactor_, ctl_),
        manager_(executorSettings(exec_id), {store.taskTable(), registry_, clock_, reactor_, ctl_, work_, lease_}),
        planner_(
            planningSettings(exec_id),
            {store.planTable(),
             store.nodeTable(),
             store.taskTable(),
             types_,
             clock_,
             reactor_,
             ctl_,
             plan_work_,
             [this] { wake(); }}
        ),
        scheduler_(
            {store.nodeTable(),
             store.schedulerTable(),
             clock_,
             reactor_,
             ctl_,
             exec_id,
             [this] { return lease_.lastRenewal(); },
             [this](const std::vector<proto::ExecId>&) { wake(); }},
            {}
        ) {
    types_.add(type_);
    executor::registerPluginType(registry_, type_);
    manager_.node().on_queue_dry = [this](proto::TaskId) { wake(); };
  }

  void start() {
    reactor_.start();
    lease_.acquire({});
    lease_.start({
        [this] { return manager_.numLiveRuns(); },
        [this] { return manager_.numPolls(); },
        [this] { manager_.interruptRuns(runtime::CancelCause::kLeaseLost); },
        [] { ::_exit(70); },  // the lease is over and a run goes on: nothing of this process may work any more
        [this] { manager_.interruptRuns(runtime::CancelCause::kLeaseLost); },
    });
    manager_.start();
    planner_.start();
    scheduler_.start();
  }
  /// Something has changed: look now instead of at the next poll. All three are in this process; elsewhere the daemon
  /// sends a datagram.
  void wake() {
    scheduler_.nudge();
    planner_.nudge();
    manager_.nudge();
  }
  /// Rows of runs are given back first, then the node's life ends.
  void stop() {
    scheduler_.stop();
    planner_.stop();
    if (manager_.stop() == 0) lease_.release();
    reactor_.stop();
  }

 private:
  static constexpr std::int32_t kSlots = 2;
  static executor::LeaseSettings leaseSettings(const std::string& exec_id, const std::filesystem::path& state_dir) {
    executor::LeaseSettings settings;
    settings.exec_id = exec_id;
    settings.slots = kSlots;
    settings.state_dir = state_dir;
    settings.types = {{"primes", "1"}};
    return settings;
  }
  static executor::ExecutorSettings executorSettings(const std::string& exec_id) {
    executor::ExecutorSettings settings;
    settings.exec_id = exec_id;
    settings.slots = kSlots;
    return settings;
  }
  static planning::PlanningSettings planningSettings(const std::string& exec_id) {
    planning::PlanningSettings settings;
    settings.exec_id = exec_id;
    return settings;
  }

  runtime::Clock& clock_ = runtime::systemClock();
  runtime::Reactor reactor_;
  runtime::ThreadPool ctl_{"ctl", 4, 16, {}};
  runtime::ThreadPool work_{"task", kSlots + 1, 0, {}};
  runtime::ThreadPool plan_work_{"plan", 2, 0, {}};
  std::shared_ptr<PrimesType> type_;
  plugin::TaskTypes types_;
  executor::TaskExecutorRegistry registry_;
  executor::NodeLease lease_;
  executor::Manager manager_;
  planning::PlanningService planner_;
  scheduler::SchedulerService scheduler_;
};

/// Submits a task and waits until it is done; returns it.
proto::Task runTask(storage::ClientTable& client, Node& node, const std::string& up_to) {
  storage::TaskRequest request;
  request.key = "primes-" + std::to_string(randomToken());
  request.type = "primes";
  request.meta = up_to;
  const auto submitted = client.submitTask({}, request);
  node.wake();
  runtime::Wakeup pause(runtime::systemClock());
  for (;;) {
    const auto task = client.findTask({}, submitted.id);
    if (task && proto::isDone(task->state)) return *task;
    pause.waitFor({}, std::chrono::milliseconds(100));
  }
}

int run(const std::string& dsn_text) {
  sqlclient::initializeDriver();
  const auto dsn = sqlclient::parseDsn(dsn_text);
  storage::mysql::StoreSettings settings;
  settings.connect = sqlclient::toConnectSettings(dsn);
  settings.schema = dsn.schema.empty() ? "disttask" : dsn.schema;
  storage::mysql::Store store(settings, runtime::systemClock());
  store.schema().install({});

  const auto exec_id = "embedded-" + std::to_string(::getpid());
  const auto state_dir = std::filesystem::temp_directory_path() / ("disttask-" + exec_id);
  Node node(store, exec_id, state_dir);
  node.start();
  const auto task = runTask(store.clientTable(), node, "100000");
  std::int64_t primes = 0;
  for (const auto& subtask : store.clientTable().listSubtasks({}, task.id, kCount, 1000)) {
    if (subtask.state == proto::SubtaskState::kSucceed) primes += std::stoll(subtask.meta);
  }
  node.stop();
  std::filesystem::remove_all(state_dir);
  if (task.state != proto::TaskState::kSucceed) {
    std::fprintf(stderr, "task %s: %s\n", std::string(toString(task.state)).c_str(), task.error.c_str());
    return 1;
  }
  std::printf("%lld primes below 100000\n", static_cast<long long>(primes));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s mysql://USER[:PASSWORD]@HOST[:PORT]/SCHEMA[?socket=PATH]\n", argv[0]);
    return 2;
  }
  try {
    return run(argv[1]);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
