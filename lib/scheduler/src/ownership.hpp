#pragma once
#include "disttask/runtime/clock.hpp"
#include "disttask/scheduler/node_observer.hpp"
#include "disttask/scheduler/scheduler_settings.hpp"
#include "disttask/storage/scheduler_table.hpp"

#include <atomic>
#include <optional>
#include <vector>

namespace disttask::scheduler {

/// What one read showed of who holds the role.
struct OwnerReading {
  storage::Owner owner;
  runtime::TimePoint began;
  runtime::TimePoint ended;
};

/// Holds, or waits for, the scheduler role (design rule 19). Used by one round at a time; isOwner by any thread. Store
/// failures pass through.
class Ownership {
 public:
  Ownership(
      storage::SchedulerTable& table, runtime::Clock& clock, const SchedulerSettings& settings, proto::ExecId exec_id
  );

  /// Renews the role when it is time, or looks at its holder and takes it when it is free: by `readings`, oldest first,
  /// or by a read of its own when there is none that it has not seen yet. Returns the life under which this node may
  /// act now.
  std::optional<proto::Life> update(
      const runtime::Call& call,
      std::optional<runtime::TimePoint> last_renewal,
      const std::vector<OwnerReading>& readings = {}
  );
  /// True if the holder may go on: its own lease clock, counted from before the last confirmed renewal was sent, is
  /// below two thirds. Any thread.
  [[nodiscard]] bool isOwner() const noexcept;
  /// Returns the life under which this node may act now; nothing: it is not the owner. Any thread.
  [[nodiscard]] std::optional<proto::Life> actingLife() const noexcept;
  /// A fenced write matched nothing: the role is gone.
  void lose() noexcept;
  /// Gives the role up; true if it was ours.
  bool release(const runtime::Call& call);
  /// True if the holder should have renewed by now and has not: look more often.
  [[nodiscard]] bool isHolderSilent() const noexcept { return is_holder_silent_; }
  /// Returns when a look would find the lease of a silent holder over.
  [[nodiscard]] std::optional<runtime::TimePoint> holderExpiry() const noexcept { return holder_expiry_; }
  /// Returns when the last renewal of the role was confirmed: also a write of this process.
  [[nodiscard]] std::optional<runtime::TimePoint> lastConfirmed() const noexcept { return last_confirmed_; }

 private:
  bool renew(const runtime::Call& call);
  std::optional<proto::Life> follow(
      const runtime::Call& call,
      std::optional<runtime::TimePoint> last_renewal,
      const std::vector<OwnerReading>& readings
  );
  /// Looks at one reading; true: it shows that the lease of the holder is over.
  bool isOver(const OwnerReading& reading);
  OwnerReading read(const runtime::Call& call);
  std::optional<proto::Life> take(const runtime::Call& call, const storage::Owner& observed, std::string_view why);

  storage::SchedulerTable& table_;
  runtime::Clock& clock_;
  const SchedulerSettings& settings_;
  const proto::ExecId exec_id_;

  // touched by rounds only
  proto::Life life_;  ///< 0 = follower; else the life under which the role is, or was until a renewal fails, ours
  NodeObserver observer_;
  std::optional<runtime::TimePoint> last_confirmed_;
  std::optional<runtime::TimePoint> last_refused_;  ///< the last renewal, unless it went through
  runtime::TimePoint last_reading_{};               ///< began then
  bool is_holder_silent_ = false;
  std::optional<runtime::TimePoint> holder_expiry_;

  // read by any thread
  std::atomic<runtime::Duration::rep> acts_until_{0};  ///< on the clock; 0 = not the owner
  std::atomic<std::int64_t> acting_life_{0};           ///< the last life that was taken
};

/// The longest pause between own confirmed writes that lets observations go on (design rule 3). Renewals come every
/// quarter of a lease, so the limit leaves a twelfth for their delay.
[[nodiscard]] inline runtime::Duration maxGap(runtime::Duration lease) noexcept {
  return lease / 3;
}

}  // namespace disttask::scheduler
