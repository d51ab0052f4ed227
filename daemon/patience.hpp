#pragma once
#include "disttask/runtime/timers.hpp"

#include <memory>
#include <string>

namespace disttask::app {

/// Tells the service manager, every few seconds while it lives, that a start or stop goes on and why it takes long. Any
/// thread; the timers outlive it.
class Patience {
 public:
  Patience(runtime::Timers& timers, std::string status);
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
