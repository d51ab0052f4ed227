#include "disttask/scheduler/history_mover.hpp"

#include "disttask/observability/log_context.hpp"
#include "disttask/observability/sampled_log.hpp"
#include "disttask/runtime/periodic.hpp"

#include <atomic>
#include <string>
#include <utility>
#include <vector>

namespace disttask::scheduler {

using observability::Level;

class HistoryMover::Impl {
 public:
  Impl(HistoryDeps deps, HistorySettings settings)
      : deps_(std::move(deps)),
        settings_(settings),
        after_(settings.after),
        keep_(settings.keep),
        interval_(settings.interval),
        periodic_("history", deps_.timers, deps_.pool, [this] { return runRound(); }) {}

  void start() { periodic_.start(interval_); }
  void stop() {
    stopping_.cancel(runtime::CancelCause::kShutdown);
    periodic_.stop();
  }
  void reconfigure(const HistorySettings& settings) {
    after_ = settings.after;
    keep_ = settings.keep;
    interval_ = settings.interval;
    periodic_.nudge();
  }
  [[nodiscard]] std::int64_t numMoved() const noexcept { return num_moved_; }
  runtime::Duration runRound();

 private:
  void moveTasks(proto::Life owner);
  void moveEach(proto::Life owner, const std::vector<storage::EndedTask>& tasks);
  void moveTask(proto::Life owner, proto::TaskId id);
  void forgetOld(proto::Life owner);
  /// Pauses for as long as the work since `began` took; throws when the mover stops or the role is gone.
  void rest(runtime::TimePoint began, proto::Life owner);
  [[nodiscard]] runtime::Call call() const {
    return {stopping_.token(), runtime::Deadline(deps_.clock, settings_.call_limit)};
  }

  const HistoryDeps deps_;
  const HistorySettings settings_;
  // The present ones of settings_.
  std::atomic<runtime::Duration> after_;
  std::atomic<runtime::Duration> keep_;
  std::atomic<runtime::Duration> interval_;
  runtime::CancelSource stopping_;
  std::atomic<std::int64_t> num_moved_{0};
  bool more_ = false;  ///< the round stopped before all was moved; touched by rounds only
  observability::SampledLog failures_{std::chrono::seconds(60)};
  runtime::Periodic periodic_;  // last: its rounds use the members above
};

runtime::Duration HistoryMover::Impl::runRound() {
  more_ = false;
  const auto owner = deps_.owner();
  if (!owner) return interval_;
  try {
    moveTasks(*owner);
    forgetOld(*owner);
  } catch (...) {
    const auto error = currentError();
    if (error.code() != ErrorCode::kCancelled && error.code() != ErrorCode::kLost) {
      failures_.log(
          Level::kWarn,
          "move to history stopped, tried again later",
          {{"error", error.message()}, {"code", toString(error.code())}}
      );
    }
    return interval_;
  }
  return more_ ? runtime::Duration::zero() : interval_.load();
}

void HistoryMover::Impl::moveTasks(proto::Life owner) {
  const auto before = num_moved_.load();
  std::vector<storage::EndedTask> tasks;
  do {
    // Tasks that cannot be moved, however many, do not hide those behind them.
    const auto after = tasks.empty() ? proto::TaskId() : tasks.back().id;
    tasks = deps_.history.findEndedTasks(call(), after_, after, settings_.round_tasks);
    moveEach(owner, tasks);
  } while (static_cast<std::int32_t>(tasks.size()) == settings_.round_tasks && num_moved_ == before);
  more_ = static_cast<std::int32_t>(tasks.size()) == settings_.round_tasks;
}

void HistoryMover::Impl::moveEach(proto::Life owner, const std::vector<storage::EndedTask>& tasks) {
  for (const auto& task : tasks) {
    const auto fields = observability::taskFields(task);
    const observability::LogContext context(fields);
    try {
      moveTask(owner, task.id);
    } catch (const Exception& e) {
      // What concerns the store or the role ends the round; what concerns this task alone does not.
      const auto reaction = e.error().reaction();
      if (reaction == Reaction::kLost || reaction == Reaction::kCancelled || reaction == Reaction::kReconnect) throw;
      failures_.logFor(
          std::to_string(task.id.value()),
          Level::kWarn,
          "task could not be moved to history, tried again later",
          {{"task_id", task.id}, {"error", e.error().message()}, {"code", toString(e.error().code())}}
      );
    }
  }
}

void HistoryMover::Impl::moveTask(proto::Life owner, proto::TaskId id) {
  const auto looked = deps_.clock.now();
  if (!deps_.history.isAtRest(call(), id)) {
    rest(looked, owner);  // many such tasks are no burden either
    throw Exception(
        ErrorCode::kPrecondition, "subtasks of the ended task are pending or running, or its clean-up hook has not run"
    );
  }
  for (;;) {
    const auto began = deps_.clock.now();
    if (deps_.history.moveSubtasks(call(), owner, id, settings_.batch_rows) == 0) break;
    rest(began, owner);
  }
  const auto began = deps_.clock.now();
  if (deps_.history.moveTask(call(), owner, id)) {
    ++num_moved_;
    observability::log(Level::kInfo, "task moved to history", {{"task_id", id}});
  }
  rest(began, owner);
}

void HistoryMover::Impl::forgetOld(proto::Life owner) {
  const auto repeat = [&](auto forget) {
    for (;;) {
      const auto began = deps_.clock.now();
      if (forget() < settings_.batch_rows) return;
      rest(began, owner);
    }
  };
  repeat([&] { return deps_.history.forgetSubtasks(call(), owner, keep_, settings_.batch_rows); });
  repeat([&] { return deps_.history.forgetEvents(call(), owner, keep_, settings_.batch_rows); });
  if (deps_.run_logs == nullptr) return;
  repeat([&] { return deps_.run_logs->forgetLogs(call(), owner, keep_, settings_.batch_rows); });
}

void HistoryMover::Impl::rest(runtime::TimePoint began, proto::Life owner) {
  const auto took = deps_.clock.now() - began;
  if (took > runtime::Duration::zero()) runtime::Wakeup(deps_.clock).waitFor(stopping_.token(), took);
  stopping_.token().throwIfCancelled();
  if (deps_.owner() != owner) throw Exception(ErrorCode::kLost, "the scheduler role is gone");
}

HistoryMover::HistoryMover(HistoryDeps deps, HistorySettings settings)
    : impl_(std::make_unique<Impl>(std::move(deps), settings)) {}
HistoryMover::~HistoryMover() {
  stop();
}

void HistoryMover::start() {
  impl_->start();
}
void HistoryMover::stop() {
  impl_->stop();
}
void HistoryMover::reconfigure(const HistorySettings& settings) {
  impl_->reconfigure(settings);
}
std::int64_t HistoryMover::numMoved() const noexcept {
  return impl_->numMoved();
}
runtime::Duration HistoryMover::runRoundForTest() {
  return impl_->runRound();
}

}  // namespace disttask::scheduler
