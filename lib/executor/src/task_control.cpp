#include "task_run.hpp"

namespace disttask::executor {

void TaskControl::interrupt(runtime::CancelCause cause) {
  std::shared_ptr<StepRun> step;
  {
    const std::lock_guard lock(mutex_);
    cause_ = cause;
    step = step_;
  }
  source_.cancel(cause);
  if (step) step->interrupt(cause);
  wake_.notify();
}

void TaskControl::interruptStep(runtime::CancelCause cause) {
  std::shared_ptr<StepRun> step;
  {
    const std::lock_guard lock(mutex_);
    step = step_;
  }
  if (step) step->interrupt(cause);
}

void TaskControl::drain() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(draining_, true)) return;
  }
  wake_.notify();
}

void TaskControl::goOn() {
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(draining_, false)) return;
  }
  wake_.notify();
}

bool TaskControl::isDraining() const {
  const std::lock_guard lock(mutex_);
  return draining_;
}

std::int32_t TaskControl::recallBorrowed(std::int32_t slots) {
  std::shared_ptr<StepRun> step;
  {
    const std::lock_guard lock(mutex_);
    step = step_;
  }
  return step ? step->recallBorrowed(slots) : 0;
}

TaskActivity TaskControl::activity(runtime::TimePoint now) const {
  std::shared_ptr<StepRun> step;
  {
    const std::lock_guard lock(mutex_);
    step = step_;
  }
  TaskActivity activity;
  if (!step) return activity;
  activity.queued = step->numQueued();
  activity.active = step->numActive();
  for (const auto& run : step->runs()) {
    activity.runs.push_back({run->id(), now - run->beganAt(), run->cancelledAt().has_value()});
  }
  return activity;
}

bool TaskControl::isInterrupted() const {
  const std::lock_guard lock(mutex_);
  return cause_.has_value();
}

void TaskControl::nudge() {
  {
    const std::lock_guard lock(mutex_);
    nudged_ = true;
  }
  wake_.notify();
}

bool TaskControl::takeNudge() {
  const std::lock_guard lock(mutex_);
  return std::exchange(nudged_, false);
}

bool TaskControl::enterStep(std::shared_ptr<StepRun> step) {
  const std::lock_guard lock(mutex_);
  if (cause_) return false;
  step_ = std::move(step);
  return true;
}

void TaskControl::leaveStep() {
  const std::lock_guard lock(mutex_);
  step_ = nullptr;
}

proto::TaskBase TaskControl::task() const {
  const std::lock_guard lock(mutex_);
  return task_;
}

void TaskControl::setTask(const proto::TaskBase& task) {
  const std::lock_guard lock(mutex_);
  task_ = task;
}

}  // namespace disttask::executor
