// The Manager's life: start, stop, vanish. manager_poll.cpp has what a poll does.
#include "disttask/executor/manager.hpp"

#include "disttask/observability/log.hpp"
#include "end_writer.hpp"
#include "manager_impl.hpp"

namespace disttask::executor {

using observability::Level;
using runtime::CancelCause;

Manager::Impl::Impl(const ExecutorSettings& settings, const ManagerParts& parts_in)
    : parts(parts_in),
      node(settings, parts_in.clock, parts_in.lease),
      interval(settings.task_check_interval),
      periodic("manager", parts_in.timers, parts_in.ctl, [this] { return pollByItself(); }) {
  if (parts.run_logs == nullptr) return;
  run_logs = std::make_unique<RunLogWriter>(node, *parts.run_logs, parts.timers, parts.ctl);
  node.run_logs = run_logs.get();
}

void Manager::Impl::askForPoll() {
  if (isFed()) {
    parts.ask_for_poll();
  } else {
    periodic.nudge();
  }
}

std::vector<std::shared_ptr<TaskExecutor>> Manager::Impl::all() const {
  std::vector<std::shared_ptr<TaskExecutor>> list;
  const std::lock_guard lock(mutex);
  for (const auto& [id, executor] : executors) list.push_back(executor);
  return list;
}

std::shared_ptr<TaskExecutor> Manager::Impl::find(proto::TaskId id) const {
  const std::lock_guard lock(mutex);
  const auto at = executors.find(id);
  return at == executors.end() ? nullptr : at->second;
}

bool Manager::Impl::isStopping() const {
  const std::lock_guard lock(mutex);
  return stopping;
}

void Manager::Impl::endPolls() {
  periodic.stop();
  // Who is in a poll now has looked at `stopping` before it was set.
  const std::lock_guard lock(poll_mutex);
}

void Manager::Impl::interruptAll(CancelCause cause) {
  for (const auto& executor : all()) executor->interrupt(cause);
}

std::size_t Manager::Impl::waitForAll(Duration patience) {
  std::unique_lock lock(mutex);
  const runtime::Deadline deadline(parts.clock, patience);
  parts.clock.waitUntil(lock, changed, {}, deadline.at(), [this] { return num_jobs == 0; });
  return num_jobs;
}

Manager::Manager(const ExecutorSettings& settings, const ManagerParts& parts)
    : impl_(std::make_unique<Impl>(settings, parts)) {}

Manager::~Manager() {
  cancel();
  impl_->endPolls();
  impl_->waitForAll(Duration::max());
}

void Manager::initMeta() {
  const auto& node = impl_->node;
  impl_->parts.table.initMeta(node.call(), node.settings.exec_id, node.live.scope(), node.slots.capacity());
}

void Manager::recoverMeta() {
  const auto& node = impl_->node;
  impl_->parts.table.recoverMeta(node.call(), node.settings.exec_id, node.live.scope(), node.slots.capacity());
}

void Manager::start() {
  observability::log(
      Level::kInfo,
      "task executor manager start",
      {{"exec_id", impl_->node.settings.exec_id},
       {"slots", impl_->node.slots.capacity()},
       {"scope", impl_->node.live.scope()}}
  );
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->has_started = true;
  }
  if (impl_->run_logs) impl_->run_logs->start();
  if (impl_->isFed()) {
    impl_->askForPoll();
  } else {
    impl_->periodic.start(Duration::zero());
  }
}

void Manager::reconfigure(const ExecutorSettings& settings) {
  impl_->node.live.set(settings);
  impl_->node.slots.resize(settings.slots);
  nudge();
}

bool Manager::takePoll(const storage::NodePoll& seen) {
  return impl_->poll(&seen);
}

void Manager::nudge() {
  impl_->askForPoll();
  for (const auto& executor : impl_->all()) executor->nudge();
}

void Manager::cancel() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->node.vanish.cancel(CancelCause::kClosed);  // first: from here on nothing is written
  impl_->source.cancel(CancelCause::kClosed);
}

void Manager::drain() {
  impl_->draining = true;  // first: what a poll begins meanwhile is drained by the next one
  impl_->drainExecutors(false);
  impl_->askForPoll();
}

bool Manager::waitUntilEmpty(Duration limit) {
  return impl_->waitForAll(limit) == 0;
}

std::size_t Manager::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->stopped) return impl_->num_jobs;
    impl_->stopping = true;
  }
  impl_->endPolls();
  auto& node = impl_->node;
  // What may run again returns now; what may not gets until the stop deadline (design rules 12 and 13).
  impl_->interruptAll(CancelCause::kShutdown);
  auto left = impl_->waitForAll(node.settings.stop_deadline);
  if (left > 0) {
    observability::log(Level::kWarn, "stop deadline passed, the runs that are left are cancelled", {{"tasks", left}});
    node.hurry = true;
    impl_->interruptAll(CancelCause::kDeadline);
    left = impl_->waitForAll(node.settings.stop_deadline / 4);
  }
  node.hurry = true;
  const auto unwritten = flushUnwrittenEnds(node, impl_->parts.table);
  if (impl_->run_logs) impl_->run_logs->stop();
  observability::log(
      left == 0 && unwritten == 0 ? Level::kInfo : Level::kWarn,
      "task executor manager stopped",
      {{"tasks_left", left}, {"ends_not_written", unwritten}}
  );
  const std::lock_guard lock(impl_->mutex);
  impl_->stopped = true;
  return left;
}

void Manager::interruptRuns(CancelCause cause) {
  impl_->interruptAll(cause);
}

std::int64_t Manager::numLiveRuns() const noexcept {
  return impl_->node.counters.live_runs;
}

std::int64_t Manager::appliedModifications() const noexcept {
  return impl_->modifications;
}

std::uint64_t Manager::numPolls() const noexcept {
  return impl_->num_polls;
}

std::uint64_t Manager::progress() const noexcept {
  return impl_->progress;
}

std::optional<std::uint64_t> Manager::writerProgress() const {
  return impl_->node.writer.progress();
}

std::vector<proto::TaskId> Manager::tasks() const {
  std::vector<proto::TaskId> ids;
  const std::lock_guard lock(impl_->mutex);
  for (const auto& [id, executor] : impl_->executors) ids.push_back(id);
  return ids;
}

std::vector<std::pair<proto::TaskBase, TaskActivity>> Manager::activities() const {
  std::vector<std::pair<proto::TaskBase, TaskActivity>> list;
  for (const auto& executor : impl_->all()) list.emplace_back(executor->getTaskBase(), executor->activity());
  return list;
}

NodeServices& Manager::node() noexcept {
  return impl_->node;
}

}  // namespace disttask::executor
