#pragma once
#include "disttask/runtime/clock.hpp"

namespace disttask::executor {

/// How far this node may count on being alive (design rules 4 and 16). Any thread.
class Lease {
 public:
  virtual ~Lease() = default;
  /// True while subtasks may be started: registered, and less than ⅔ of the lease has passed since the last confirmed
  /// renewal was sent.
  [[nodiscard]] virtual bool mayStart() const noexcept = 0;
  /// Returns what is left of the lease; zero when it is over.
  [[nodiscard]] virtual runtime::Duration validFor() const noexcept = 0;
};

/// A lease that never ends: for a single process on a store of its own.
class EndlessLease final : public Lease {
 public:
  [[nodiscard]] bool mayStart() const noexcept override { return true; }
  [[nodiscard]] runtime::Duration validFor() const noexcept override { return runtime::Duration::max(); }
};

}  // namespace disttask::executor
