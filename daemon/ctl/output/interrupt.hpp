#pragma once

namespace disttask::ctl {

/// While it lives, the first Ctrl-C (SIGINT) or SIGTERM is noted instead of ending the process, so that a wait can say
/// what goes on without it; a second one ends the process. One at a time.
class InterruptWatch {
 public:
  InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;
  ~InterruptWatch();
  /// Returns the number of the signal that came; 0 = none.
  [[nodiscard]] int signal() const noexcept;
  /// Returns the exit code of a program that this signal ended.
  [[nodiscard]] int exitCode() const noexcept { return 128 + signal(); }
};

}  // namespace disttask::ctl
