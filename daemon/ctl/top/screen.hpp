#pragma once
#include "view.hpp"

#include <termios.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace disttask::ctl {

/// The terminal while `top` has it: its other screen, no cursor, no echo, keys at once. The destructor gives it back as
/// it was, however it is left; signals that end the program are taken as a wish to leave. One at a time; one thread.
class Screen {
 public:
  Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen();

  [[nodiscard]] TopSize size() const;
  /// Redraws in place.
  void draw(const std::vector<std::string>& lines) const;
  enum class Event { kTime, kKey, kResized, kLeave };
  /// Waits for a key, a new size, or a wish to leave; kTime when so long passed. `key` gets the key.
  [[nodiscard]] Event wait(std::chrono::milliseconds limit, char& key) const;
  /// The signal that asked to leave; 0 = none.
  [[nodiscard]] static int signal() noexcept;

 private:
  termios before_{};
  bool has_termios_ = false;
};

}  // namespace disttask::ctl
