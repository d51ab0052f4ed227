#include "disttask/executor/node_poller.hpp"

#include "disttask/base/failpoint.hpp"
#include "disttask/observability/sampled_log.hpp"
#include "disttask/runtime/periodic.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

namespace disttask::executor {

using observability::Level;
using runtime::Duration;

struct NodePoller::Impl {
  Impl(
      const PollSettings& settings_in,
      storage::PollTable& table_in,
      runtime::Clock& clock_in,
      runtime::Timers& timers,
      runtime::Pool& pool
  )
      : settings(settings_in),
        table(table_in),
        clock(clock_in),
        interval(settings_in.interval),
        max_interval(settings_in.max_interval),
        pause(settings_in.interval),
        periodic("poll", timers, pool, [this] { return round(); }) {}

  Duration round();
  void setError(std::optional<Error> error) {
    const std::lock_guard lock(mutex);
    last_error = std::move(error);
  }
  [[nodiscard]] bool tellAll(const storage::NodePoll& seen);

  const PollSettings settings;
  storage::PollTable& table;
  runtime::Clock& clock;
  runtime::CancelSource stopping;
  std::vector<Subscriber> subscribers;  // constant after start
  Watcher watcher;                      // the same
  observability::SampledLog sampled{std::chrono::seconds(10)};
  std::atomic<Duration> interval;
  std::atomic<Duration> max_interval;
  std::atomic<bool> nudged{true};  // the first round counts as asked for
  std::atomic<std::uint64_t> progress{0};
  std::atomic<proto::WantedState> wanted{proto::WantedState::kNormal};
  mutable std::mutex mutex;
  std::optional<Error> last_error;  // guarded by mutex

  Duration pause;  // touched only by rounds
  runtime::Periodic periodic;
};

Duration NodePoller::Impl::round() {
  // Taken before the look: a nudge that comes while it runs belongs to the next one.
  bool soon = nudged.exchange(false);
  const auto began = clock.now();
  try {
    DISTTASK_FAILPOINT("executor.poll");
    auto seen = table.poll({stopping.token(), runtime::Deadline(clock, settings.call_timeout)}, settings.exec_id);
    seen.began = began;
    seen.ended = clock.now();
    if (watcher) watcher(seen.ended - began, true);
    ++progress;
    wanted = seen.wanted;
    setError(std::nullopt);
    soon = tellAll(seen) || soon;
  } catch (...) {
    ++progress;
    if (!stopping.token().cancelled()) {
      if (watcher) watcher(clock.now() - began, false);
      const auto error = currentError();
      setError(error);
      sampled.log(
          Level::kWarn, "poll of this node failed", {{"error", error.message()}, {"code", toString(error.code())}}
      );
    }
  }
  pause = soon ? interval.load() : std::min(pause * 2, max_interval.load());
  return pause;
}

bool NodePoller::Impl::tellAll(const storage::NodePoll& seen) {
  bool work = false;
  for (const auto& subscriber : subscribers) {
    try {
      work = subscriber(seen) || work;
    } catch (...) {
      // One who fails must not keep the answer from the others.
      work = true;
      sampled.log(Level::kWarn, "a part of this node could not use a poll", {{"error", currentError().message()}});
    }
    ++progress;
  }
  return work;
}

NodePoller::NodePoller(
    const PollSettings& settings,
    storage::PollTable& table,
    runtime::Clock& clock,
    runtime::Timers& timers,
    runtime::Pool& pool
)
    : impl_(std::make_unique<Impl>(settings, table, clock, timers, pool)) {}

NodePoller::~NodePoller() {
  stop();
}

void NodePoller::subscribe(Subscriber subscriber) {
  impl_->subscribers.push_back(std::move(subscriber));
}

void NodePoller::watch(Watcher watcher) {
  impl_->watcher = std::move(watcher);
}

void NodePoller::start() {
  impl_->periodic.start(Duration::zero());
}

void NodePoller::nudge() {
  impl_->nudged = true;
  impl_->periodic.nudge();
}

void NodePoller::setIntervals(Duration interval, Duration max_interval) {
  impl_->interval = interval;
  impl_->max_interval = max_interval;
  nudge();
}

void NodePoller::look() {
  impl_->periodic.nudge();
}

void NodePoller::stop() {
  impl_->stopping.cancel(runtime::CancelCause::kShutdown);
  impl_->periodic.stop();
}

std::uint64_t NodePoller::numPolls() const {
  return impl_->periodic.numRounds();
}

std::uint64_t NodePoller::progress() const {
  return impl_->progress + impl_->periodic.numBeats();
}

proto::WantedState NodePoller::wanted() const noexcept {
  return impl_->wanted;
}

std::optional<Error> NodePoller::lastError() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->last_error;
}

}  // namespace disttask::executor
