#pragma once
#include "disttask/sqlclient/connection.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace disttask::plugin_common {

/// A named lock of a server, which one session of all nodes has at a time. A matter of manners or of speed, not of
/// safety: on a server without such locks one goes in anyway. It ends with the session.
class NamedLock {
 public:
  /// Waits until the others are out, for at most so many seconds (0: for ever); `check` is called about once a second
  /// and may throw to cancel. Names are one space for the whole server, and have at most 64 characters.
  NamedLock(sqlclient::Connection& connection, std::string name, int max_seconds, const std::function<void()>& check);
  NamedLock(const NamedLock&) = delete;
  NamedLock& operator=(const NamedLock&) = delete;
  /// Lets the next one in.
  ~NamedLock();
  /// False: the others were not out in time.
  [[nodiscard]] bool isIn() const noexcept { return in_; }

 private:
  bool lock();

  sqlclient::Connection& connection_;
  const std::string name_;
  bool locked_ = false;
  bool in_ = false;
};

/// Returns `prefix` and a hash of `subject`, the same on every node.
[[nodiscard]] std::string lockName(std::string_view prefix, std::string_view subject);

}  // namespace disttask::plugin_common
