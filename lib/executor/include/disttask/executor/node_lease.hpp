#pragma once
#include "disttask/executor/lease.hpp"
#include "disttask/runtime/pool.hpp"
#include "disttask/runtime/timers.hpp"
#include "disttask/storage/node_table.hpp"
#include "disttask/storage/poll_table.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace disttask::executor {

/// How a node keeps itself alive in the eyes of others.
struct LeaseSettings {
  proto::ExecId exec_id;
  std::string scope = "disttask";            ///< role in dist_framework_meta
  std::int32_t slots = 1;                    ///< cpu_count in dist_framework_meta
  std::filesystem::path state_dir;           ///< holds the instance's UUID and its lock
  std::string host;                          ///< for people
  std::string address;                       ///< host:port for nudges; empty = none
  std::map<std::string, std::string> types;  ///< task type → version that this node offers
  std::string version;                       ///< of the program
  runtime::Duration lease = std::chrono::seconds(30);
  /// A quarter of the lease: those who observe others must not be without a write of their own for more than a third.
  runtime::Duration renew_every = std::chrono::milliseconds(7500);
  runtime::Duration exit_margin =
      std::chrono::seconds(2);  ///< before the lease ends, runs that have not returned end the process
  runtime::Duration call_timeout = std::chrono::seconds(5);  ///< of one store call
  /// A loop that stands still for so long is wedged: no renewal. Longer than a store call may take; zero = half of the
  /// lease.
  runtime::Duration wedged_after{};
  runtime::Duration acquire_timeout{};  ///< acquire gives up after this; zero = waits as long as it takes
  std::filesystem::path boot_id_file = "/proc/sys/kernel/random/boot_id";
};

/// What the lease asks of, and tells, the process. Each may be empty. Hooks are called from the timer thread or the ctl
/// pool and return at once.
struct LeaseHooks {
  std::function<std::int64_t()> num_live_runs;  ///< runs of subtasks that have not returned (Manager::numLiveRuns)
  std::function<std::uint64_t()> progress;      ///< moves while the poll loop is alive (NodePoller::progress)
  std::function<void()> on_at_risk;             ///< ⅔ of the lease has passed: cancel all runs
  /// The lease ends and runs have not returned, though they were cancelled a moment ago at the latest: the process must
  /// end now.
  std::function<void()> on_expired;
  std::function<void()> on_evicted;  ///< this life is over: cancel all runs; a new life begins when they have returned
  /// Moves with each batch that the node's writer has tried, failed ones too; nothing: it has nothing to write now.
  std::function<std::optional<std::uint64_t>()> writer_progress = {};
  /// Up to which modification this node's tasks run with what was asked (Manager::appliedModifications): each renewal
  /// writes it.
  std::function<std::int64_t()> modifications = {};
  std::function<void(const proto::Node&)> on_new_life = {};  ///< after an eviction this node has registered anew
  /// Why work waits on this node, JSON or empty (design rule 1): each renewal writes it.
  std::function<std::string()> reasons = {};
};

/// The life of this node (design rules 1-5): identity, registration, renewal, and how far it may be counted on. Time is
/// counted on CLOCK_BOOTTIME from before the last confirmed renewal was sent, so a process that was stopped or
/// suspended knows it at once.
///
/// Threads: acquire blocks its caller; renewals run on the ctl pool, the watch on the timer thread; all the rest may be
/// called from anywhere. Owns the lock of its state directory; the table, the clock, the timers and the pool outlive
/// it.
class NodeLease final : public Lease {
 public:
  /// Takes the lock of the state directory; throws as InstanceLock::acquire.
  NodeLease(
      const LeaseSettings& settings,
      storage::NodeTable& table,
      runtime::Clock& clock,
      runtime::Timers& timers,
      runtime::Pool& ctl
  );
  NodeLease(const NodeLease&) = delete;
  NodeLease& operator=(const NodeLease&) = delete;
  ~NodeLease() override;

  /// Registers this node, or takes its row over at once when the last life was this very instance and its process has
  /// ended. When another life holds the id: waits until it is evicted, which it does itself after having watched its
  /// renewals stand still, and logs who holds it every 5 s. While the store is unreachable it waits as well. Throws
  /// kCancelled; kAlreadyExists, naming host, process and life, when the timeout has passed; errors of login and
  /// schema. `waiting`, if given, is told after each try what it waits for, in words.
  void acquire(const runtime::CancelToken& token, const std::function<void(const std::string&)>& waiting = {});
  /// Begins to renew and to watch. After acquire, once.
  void start(LeaseHooks hooks);
  /// Changes what this node says of itself in its rows: scope, slots and types. The next renewal, which comes at once,
  /// writes it; so does each try after it until one has gone through. Any thread.
  void describe(const std::string& scope, std::int32_t slots, const std::map<std::string, std::string>& types);
  /// Renews now, since what it writes has changed. Any thread; nothing before start.
  void renewSoon();
  /// Looks whether this answer still shows our life; if not, it is over at once, as after a renewal that matched
  /// nothing. Any thread.
  void takePoll(const storage::NodePoll& seen);
  /// Ends the life of this node at a graceful stop, after all runs have been joined: renewal stops, life becomes 0, so
  /// that others may take its pending rows at once. Store errors are logged; the lease then ends by itself. Idempotent.
  void release();

  [[nodiscard]] bool mayStart() const noexcept override;
  [[nodiscard]] runtime::Duration validFor() const noexcept override;
  /// Returns when the last confirmed renewal (or registration) was sent; nothing while this node has no life. Who
  /// observes other nodes counts only while this moves (design rule 3).
  [[nodiscard]] std::optional<runtime::TimePoint> lastRenewal() const;
  /// Returns why the last renewal failed; nothing when it went through.
  [[nodiscard]] std::optional<Error> lastError() const;
  /// Returns how many rounds of renewal have ended, failed ones too, and those that wait. Any thread.
  [[nodiscard]] std::uint64_t numRounds() const;
  /// Moves every five seconds at least, however long the lease is: stands still only while the loop of renewals does.
  /// Any thread.
  [[nodiscard]] std::uint64_t progress() const;
  /// Returns this node's row as last registered; life 0 while it has none.
  [[nodiscard]] proto::Node node() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace disttask::executor
