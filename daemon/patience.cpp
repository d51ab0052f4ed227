#include "patience.hpp"

#include "sd_notify.hpp"

#include <mutex>
#include <optional>

namespace disttask::app {
namespace {
constexpr auto kEvery = std::chrono::seconds(5);
constexpr auto kExtendBy = std::chrono::seconds(30);
}  // namespace

struct Patience::State : std::enable_shared_from_this<Patience::State> {
  State(runtime::Timers& timers_in, std::string status_in) : timers(timers_in), status(std::move(status_in)) {}

  void tell() {
    const std::lock_guard lock(mutex);
    if (over) return;
    notifyExtendTimeout(kExtendBy, status);
    timer = timers.after(kEvery, [self = shared_from_this()] { self->tell(); });
  }

  runtime::Timers& timers;
  std::mutex mutex;
  std::string status;                             // guarded by mutex
  bool over = false;                              // guarded by mutex
  std::optional<runtime::Timers::TimerId> timer;  // guarded by mutex
};

Patience::Patience(runtime::Timers& timers, std::string status)
    : state_(std::make_shared<State>(timers, std::move(status))) {
  state_->tell();
}

Patience::~Patience() {
  const std::lock_guard lock(state_->mutex);
  state_->over = true;
  if (state_->timer) state_->timers.cancel(*state_->timer);
}

void Patience::setStatus(const std::string& status) {
  const std::lock_guard lock(state_->mutex);
  if (state_->over || state_->status == status) return;
  state_->status = status;
  notifyExtendTimeout(kExtendBy, status);
}

}  // namespace disttask::app
