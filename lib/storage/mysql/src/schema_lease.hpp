#pragma once
#include "disttask/runtime/cancel.hpp"
#include "disttask/runtime/clock.hpp"
#include "disttask/runtime/thread_group.hpp"
#include "disttask/sqlclient/connection.hpp"

#include <atomic>
#include <cstdint>

namespace disttask::storage::mysql {

/// The right to change the schema: a number of ours in the schema row, renewed by a thread while we work, since one DDL
/// statement may take longer than the lease. Whoever waits takes over when the row has not moved for the lease on its
/// own clock (design rules 3, 23).
class SchemaLease {
 public:
  static constexpr std::chrono::seconds kLease{15};

  /// Waits for the lease and takes it. `connect` must select the schema, and its table must exist. Throws kTimedOut or
  /// kCancelled.
  SchemaLease(const runtime::Call& call, const sqlclient::ConnectSettings& connect, runtime::Clock& clock);
  /// Gives it up; when that fails it expires.
  ~SchemaLease();
  SchemaLease(const SchemaLease&) = delete;
  SchemaLease& operator=(const SchemaLease&) = delete;

  /// Our number, for statements that are guarded by it.
  [[nodiscard]] std::int64_t changer() const noexcept { return changer_; }
  /// Throws kLost when somebody has taken over.
  void throwIfLost() const;

 private:
  void take(const runtime::Call& call);
  void renewUntilStopped();

  runtime::Clock& clock_;
  const std::int64_t changer_;
  std::unique_ptr<sqlclient::Connection>
      connection_;  // used by the constructor, then by the renewing thread, then by the destructor
  std::atomic<bool> lost_ = false;
  runtime::CancelSource stop_;
  runtime::ThreadGroup threads_;  // last: its thread uses the members above
};

}  // namespace disttask::storage::mysql
