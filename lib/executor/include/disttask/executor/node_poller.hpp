#pragma once
#include "disttask/runtime/pool.hpp"
#include "disttask/runtime/timers.hpp"
#include "disttask/storage/poll_table.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace disttask::executor {

/// How a node polls.
struct PollSettings {
  proto::ExecId exec_id;
  runtime::Duration interval = std::chrono::milliseconds(300);  ///< between polls while there is work
  runtime::Duration max_interval = std::chrono::seconds(2);   ///< they back off to this when there is none, or no store
  runtime::Duration call_timeout = std::chrono::seconds(10);  ///< of one poll
};

/// The one poll loop of a node (design rule 17): each round sends one statement and gives its answer to all who wait
/// for news: the lease, the scheduler role, planning, the Manager. Only who learns of work from it asks further. While
/// one of them has work the next round comes after `interval`; else the pause doubles up to `max_interval`. A nudge
/// cuts a pause, at most once per 20 ms, and resets it. A round that fails is logged and backs off like an idle one.
///
/// Rounds run one at a time on the pool; any thread may call.
class NodePoller {
 public:
  /// Takes an answer; true: there is work, poll again soon. Called from a round, may call the store; what it throws is
  /// logged and counts as work.
  using Subscriber = std::function<bool(const storage::NodePoll&)>;
  /// Told of each poll that the store answered, or not, and of how long that took. Called from a round; quick.
  using Watcher = std::function<void(runtime::Duration took, bool answered)>;

  /// The table, the clock, the timers and the pool outlive this.
  NodePoller(
      const PollSettings& settings,
      storage::PollTable& table,
      runtime::Clock& clock,
      runtime::Timers& timers,
      runtime::Pool& pool
  );
  NodePoller(const NodePoller&) = delete;
  NodePoller& operator=(const NodePoller&) = delete;
  ~NodePoller();

  /// Adds one who is told of each answer, after those before it; what it uses outlives the rounds. Before start only.
  void subscribe(Subscriber subscriber);
  /// Sets who is told of each poll. Before start only.
  void watch(Watcher watcher);
  /// Begins with a round at once. Once only.
  void start();
  /// There may be news: polls at once. A hint; nothing before start.
  void nudge();
  /// Polls at once and leaves the pause between polls as it is: the answer is wanted, but it promises no work. Like
  /// nudge in all else.
  void look();
  /// Goes on with other pauses (PollSettings), and polls at once. Any thread.
  void setIntervals(runtime::Duration interval, runtime::Duration max_interval);
  /// Cancels the round that runs, waits for it, and begins no more. Idempotent, legal before start.
  void stop();
  /// Returns how many rounds have ended.
  [[nodiscard]] std::uint64_t numPolls() const;
  /// Moves with each answer, failed ones too, with each subscriber that has returned, and every five seconds of a
  /// pause: stands still only while the loop does (design rule 2). Any thread.
  [[nodiscard]] std::uint64_t progress() const;
  /// Returns what the last answered poll showed of an operator's wish.
  [[nodiscard]] proto::WantedState wanted() const noexcept;
  /// Returns why the last poll failed; nothing when it was answered. Any thread.
  [[nodiscard]] std::optional<Error> lastError() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace disttask::executor
