#include "patience.hpp"

#include "sd_notify.hpp"

#include <algorithm>
#include <mutex>
#include <optional>

namespace disttask::app {
namespace {
constexpr auto kEvery = std::chrono::seconds(5);
}  // namespace

struct Patience::State : std::enable_shared_from_this<Patience::State> {
  State(
      runtime::Timers& timers_in,
      std::string status_in,
      runtime::Deadline deadline_in,
      std::optional<WatchdogFood> food_in
  )
      : timers(timers_in), deadline(deadline_in), food(std::move(food_in)), status(std::move(status_in)) {}

  void tell() {
    const std::lock_guard lock(mutex);
    if (over || deadline.isReached()) return;
    extend();
    const auto every = food ? std::min<runtime::Duration>(kEvery, food->every) : runtime::Duration(kEvery);
    timer = timers.after(every, [self = shared_from_this()] { self->tell(); });
  }

  /// With the mutex held.
  void extend() const {
    if (food && food->may_feed()) notifyAlive();
    notifyExtendTimeout(kExtendBy, status);
  }

  runtime::Timers& timers;
  const runtime::Deadline deadline;
  const std::optional<WatchdogFood> food;
  std::mutex mutex;
  std::string status;                             // guarded by mutex
  bool over = false;                              // guarded by mutex
  std::optional<runtime::Timers::TimerId> timer;  // guarded by mutex
};

Patience::Patience(
    runtime::Timers& timers,
    std::string status,
    std::optional<runtime::Duration> limit,
    std::optional<WatchdogFood> food
)
    : state_(std::make_shared<State>(
          timers,
          std::move(status),
          limit ? runtime::Deadline(runtime::systemClock(), *limit) : runtime::Deadline(),
          std::move(food)
      )) {
  state_->tell();
}

Patience::~Patience() {
  const std::lock_guard lock(state_->mutex);
  state_->over = true;
  if (state_->timer) state_->timers.cancel(*state_->timer);
}

void Patience::setStatus(const std::string& status) {
  const std::lock_guard lock(state_->mutex);
  if (state_->over || state_->deadline.isReached() || state_->status == status) return;
  state_->status = status;
  state_->extend();
}

}  // namespace disttask::app
