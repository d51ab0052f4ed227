#include "trial_run.hpp"

#include "disttask/executor/manager.hpp"
#include "disttask/observability/log.hpp"
#include "disttask/storage/memory/memory_task_table.hpp"
#include "trial_rows.hpp"

#include <algorithm>

namespace disttask::ctl {
namespace {

using observability::Level;
using proto::Step;
using proto::SubtaskState;
using proto::TaskState;
using storage::MemoryRows;

constexpr const char* kNode = "trial";
constexpr std::chrono::milliseconds kLook{50};

bool isAtRest(const proto::Subtask& row) {
  return row.state != SubtaskState::kPending && row.state != SubtaskState::kRunning;
}

/// What a task type sees while it plans.
class TrialPlanning final : public plugin::PlanContext {
 public:
  TrialPlanning(const MemoryRows& rows, runtime::CancelToken token) : rows_(rows), token_(std::move(token)) {}
  [[nodiscard]] const runtime::CancelToken& token() const noexcept override { return token_; }
  void readResults(Step step, std::int32_t after, const std::function<bool(std::int32_t, const std::string&)>& each)
      override {
    for (const auto& row : rows_.subtasks(kTrialTask)) {
      if (row.step != step || row.ordinal <= after || row.state != SubtaskState::kSucceed) continue;
      if (!each(row.ordinal, row.meta)) return;
    }
  }
  [[nodiscard]] std::int32_t numNodes() const noexcept override { return 1; }

 private:
  const MemoryRows& rows_;
  const runtime::CancelToken token_;
};

class Trial {
 public:
  Trial(const TrialSettings& settings, std::shared_ptr<plugin::TaskType> type, const std::filesystem::path& file)
      : settings_(settings),
        type_(std::move(type)),
        kept_(rows_, file),
        manager_(executorSettings(settings), {table_, registry_, clock_, reactor_, ctl_, work_, lease_}) {
    executor::registerPluginType(registry_, type_);
  }

  proto::Task run(const std::function<bool()>& is_cancelled) {
    // Whoever wrote the rows need not know which type the plugin has.
    rows_.change([&](MemoryRows::Data& data) { data.tasks[kTrialTask].type = type_->name(); });
    kept_.save();
    reactor_.start();
    manager_.start();
    while (!isDone(task().state)) {
      if (is_cancelled() && task().state == TaskState::kRunning) {
        observability::log(Level::kWarn, "cancel asked for");
        setState(TaskState::kReverting, "cancelled by user");
      }
      advance();
    }
    cleanUp();
    manager_.stop();
    reactor_.stop();
    return task();
  }

 private:
  static executor::ExecutorSettings executorSettings(const TrialSettings& settings) {
    executor::ExecutorSettings to;
    to.exec_id = kNode;
    to.slots = settings.slots;
    to.task_check_interval = to.subtask_check_interval = to.max_check_interval = kLook;
    return to;
  }

  [[nodiscard]] proto::Task task() const { return rows_.task(kTrialTask).value(); }

  void setState(TaskState state, const std::string& error = "") {
    rows_.change([&](MemoryRows::Data& data) {
      auto& row = data.tasks[kTrialTask];
      row.state = state;
      if (!error.empty()) row.error = error;
    });
    kept_.save();
    manager_.nudge();
  }

  /// Does what the task needs next, or waits a moment for what goes on.
  void advance() {
    const auto now = task();
    const auto rows = rows_.subtasks(kTrialTask);
    if (!std::all_of(rows.begin(), rows.end(), isAtRest)) {
      if (now.state == TaskState::kReverting) cancelPending();
      rows_.waitUntil([](const MemoryRows::Data& data) { return isEnded(data); }, kLook);
      return;
    }
    if (now.state == TaskState::kReverting) {
      revert(now);
      return;
    }
    const auto bad =
        std::find_if(rows.begin(), rows.end(), [](const auto& row) { return row.state != SubtaskState::kSucceed; });
    if (bad != rows.end()) {
      setState(TaskState::kReverting, bad->error.empty() ? "a subtask ended without success" : bad->error);
    } else {
      planNext(now);
    }
  }

  static bool isEnded(const MemoryRows::Data& data) {
    return std::all_of(data.subtasks.begin(), data.subtasks.end(), [](const auto& entry) {
      return isAtRest(entry.second);
    });
  }

  /// As the owner of a cluster does with what has not begun.
  void cancelPending() {
    rows_.change([](MemoryRows::Data& data) {
      for (auto& [id, row] : data.subtasks) {
        if (row.state != SubtaskState::kPending) continue;
        row.state = SubtaskState::kCanceled;
        row.end_time = row.state_update_time = data.nowSeconds();
      }
    });
    kept_.save();
  }

  void planNext(const proto::Task& now) {
    try {
      if (now.step == proto::kStepInit) type_->validate(now.meta);
      const auto step = type_->nextStep({}, now, now.step);
      if (step == proto::kStepDone) {
        setState(TaskState::kSucceed);
        return;
      }
      const auto metas = planStep(now, step);
      observability::log(Level::kInfo, "step planned", {{"step", step}, {"subtasks", metas.size()}});
      insert(now, step, metas);
    } catch (...) {
      setState(TaskState::kReverting, currentError().message());
    }
  }

  std::vector<std::string> planStep(const proto::Task& now, Step step) {
    TrialPlanning planning(rows_, {});
    auto entered = now;
    entered.step = step;
    std::vector<std::string> metas;
    for (std::string cursor;;) {
      auto batch = type_->plan(planning, entered, step, cursor, {});
      std::move(batch.metas.begin(), batch.metas.end(), std::back_inserter(metas));
      if (metas.size() > static_cast<std::size_t>(settings_.max_subtasks)) {
        throw Exception(
            ErrorCode::kPrecondition,
            "the type planned more than " + std::to_string(settings_.max_subtasks) + " subtasks, too many for a trial"
        );
      }
      if (batch.complete) return metas;
      if (batch.next_cursor == cursor)
        throw Exception(
            ErrorCode::kPluginFailed, "the type planned a batch that is not the last and does not move its cursor"
        );
      cursor = std::move(batch.next_cursor);
    }
  }

  /// All of them and the step at once: a process that is killed before has planned nothing.
  void insert(const proto::Task& now, Step step, const std::vector<std::string>& metas) {
    rows_.change([&](MemoryRows::Data& data) {
      auto next = data.subtasks.empty() ? std::int64_t{1} : data.subtasks.rbegin()->first.value() + 1;
      std::int32_t ordinal = 0;
      for (const auto& meta : metas) {
        proto::Subtask row;
        row.id = proto::SubtaskId(next++);
        row.task_id = kTrialTask;
        row.step = step;
        row.ordinal = ++ordinal;
        row.type = now.type;
        row.exec_id = kNode;
        row.slots = now.slots;
        row.create_time = data.nowSeconds();
        row.meta = meta;
        data.subtasks[row.id] = row;
      }
      data.tasks[kTrialTask].step = step;
    });
    kept_.save();
    manager_.nudge();
  }

  void revert(const proto::Task& now) {
    try {
      if (now.step != proto::kStepInit) type_->revert({}, now);
    } catch (...) {
      observability::log(Level::kError, "the revert hook failed", currentError());
    }
    setState(TaskState::kReverted);
  }

  void cleanUp() {
    if (!type_->hasCleanUp()) return;
    try {
      type_->cleanUp({}, task());
    } catch (...) {
      observability::log(Level::kError, "the clean-up hook failed", currentError());
    }
  }

  const TrialSettings settings_;
  const std::shared_ptr<plugin::TaskType> type_;
  runtime::Clock& clock_ = runtime::systemClock();
  MemoryRows rows_;
  KeptRows kept_;
  storage::MemoryTaskTable table_{rows_};
  executor::TaskExecutorRegistry registry_;
  executor::EndlessLease lease_;
  runtime::Reactor reactor_;
  runtime::ThreadPool ctl_{"ctl", 2, 8, {}};
  runtime::ThreadPool work_{"task", 66, 0, {}};
  executor::Manager manager_;
};

}  // namespace

proto::Task runTrial(
    const TrialSettings& settings,
    const std::shared_ptr<plugin::TaskType>& type,
    const std::filesystem::path& file,
    const std::function<bool()>& is_cancelled
) {
  return Trial(settings, type, file).run(is_cancelled);
}

}  // namespace disttask::ctl
