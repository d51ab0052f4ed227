#pragma once
#include "disttask/runtime/timers.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace disttask::app {

/// What keeps the watchdog of the service manager content.
struct WatchdogFood {
  std::function<bool()> may_feed;  ///< true while all loops move; called on the timers' thread
  runtime::Duration every{};       ///< at least so often
};

/// Tells the service manager, every few seconds while it lives, that a start or stop goes on and why it takes long. Any
/// thread; the timers outlive it.
class Patience {
 public:
  /// `limit`: no longer than this, counted from now; then the service manager ends what does not end. `food`: its
  /// watchdog is fed meanwhile, too; before a daemon is ready nobody watches.
  Patience(
      runtime::Timers& timers,
      std::string status,
      std::optional<runtime::Duration> limit = std::nullopt,
      std::optional<WatchdogFood> food = std::nullopt
  );
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;
  ~Patience();
  /// Says what is waited for from now on.
  void setStatus(const std::string& status);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the timer's handler, which may outlive this by a moment
};

}  // namespace disttask::app
