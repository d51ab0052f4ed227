#pragma once
#include "disttask/proto/node.hpp"
#include "disttask/runtime/clock.hpp"

namespace disttask::executor {

/// Watches whether the life that holds our id still renews (design rule 3): it may be evicted when its renewals stood
/// still for its lease and one second, by our own clock, counted only while our own writes to the store succeed.
/// Thread-compatible.
class HolderWatch {
 public:
  /// Notes the row as read just now, after a write of ours has succeeded. Returns true when the life may be evicted.
  bool observe(const proto::Node& holder, runtime::TimePoint now);
  /// Forgets everything: a write failed, or the store did.
  void reset() { life_ = proto::Life(); }
  /// Returns for how long the renewals have stood still.
  [[nodiscard]] runtime::Duration unchangedFor(runtime::TimePoint now) const;

 private:
  proto::Life life_;
  std::int64_t renewals_ = 0;
  runtime::TimePoint since_;
  runtime::TimePoint last_write_;
};

}  // namespace disttask::executor
