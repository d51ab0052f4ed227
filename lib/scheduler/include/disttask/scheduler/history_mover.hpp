#pragma once
#include "disttask/proto/ids.hpp"
#include "disttask/runtime/clock.hpp"
#include "disttask/runtime/pool.hpp"
#include "disttask/runtime/timers.hpp"
#include "disttask/storage/history_table.hpp"
#include "disttask/storage/run_log_table.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace disttask::scheduler {

struct HistorySettings {
  runtime::Duration after = std::chrono::minutes(10);    ///< so long after its end a task moves
  runtime::Duration keep = std::chrono::hours(14 * 24);  ///< so long its subtasks stay in history, and what runs logged
  runtime::Duration interval = std::chrono::seconds(30);    ///< between two looks when there was nothing to move
  runtime::Duration call_limit = std::chrono::seconds(10);  ///< of each call to the store
  std::int32_t batch_rows = 250;   ///< of one transaction: it holds the owner's fence, so scheduling waits for it
  std::int32_t round_tasks = 100;  ///< at which one look stops
};

/// What the mover borrows; all of it outlives the mover.
struct HistoryDeps {
  storage::HistoryTable& history;
  runtime::Clock& clock;
  runtime::Timers& timers;
  runtime::Pool& pool;  ///< runs the rounds: of its own, since a round may take long
  /// Returns the life under which this node has the scheduler role now; nothing: it has not. Any thread; quick.
  std::function<std::optional<proto::Life>()> owner;
  /// Lines that runs logged are forgotten with the subtasks; none: there are none.
  storage::RunLogTable* run_logs = nullptr;
};

/// Moves ended tasks to history and forgets what has been there for long (design rule 22), on the node that has the
/// scheduler role. Works in small transactions and pauses after each for as long as it took, so that it never takes
/// more than half of the store's time for itself. A task that cannot be moved is logged and tried again at the next
/// round; the others go on.
///
/// start, stop and numMoved may be called by any thread. stop() cancels a round and waits for it.
class HistoryMover {
 public:
  HistoryMover(HistoryDeps deps, HistorySettings settings);
  ~HistoryMover();
  HistoryMover(const HistoryMover&) = delete;
  HistoryMover& operator=(const HistoryMover&) = delete;

  void start();
  /// Idempotent, legal before start.
  void stop();
  /// Goes on with other ages and pauses (`after`, `keep`, `interval`) from the next call to the store on. Any thread.
  void reconfigure(const HistorySettings& settings);
  /// Returns how many tasks were moved by this process.
  [[nodiscard]] std::int64_t numMoved() const noexcept;
  /// Runs one round on the calling thread, for tests that lead time by hand; not while started. Returns the delay to
  /// the next one.
  runtime::Duration runRoundForTest();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace disttask::scheduler
