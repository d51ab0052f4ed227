#pragma once
#include "disttask/executor/lease.hpp"
#include "disttask/executor/node_exclusive.hpp"
#include "disttask/executor/node_writer.hpp"
#include "disttask/executor/outcome.hpp"
#include "disttask/executor/settings.hpp"
#include "disttask/executor/slot_manager.hpp"
#include "disttask/observability/sampled_log.hpp"
#include "disttask/proto/step_resource.hpp"
#include "disttask/runtime/backoff.hpp"
#include "disttask/storage/task_table.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

namespace disttask::executor {

/// The end of one run, to be written to its row.
struct RunEnd {
  proto::SubtaskId id;
  EndWrite write = EndWrite::kGiveBack;
  std::string meta;                    ///< result, for kFinish
  std::optional<std::string> summary;  ///< final summary (JSON), for kFinish
  std::optional<Error> error;          ///< for kFail, kRetryLater and kHandBack
  runtime::BackoffPolicy backoff;      ///< for kRetryLater
  std::int32_t retry_limit = 0;        ///< for kRetryLater
};

/// Ends of runs that could not be written in time: the slot is free, the run token stays live, and the Manager writes
/// them at a later check. Any thread.
class UnwrittenEnds {
 public:
  void keep(RunEnd end);
  /// Takes the oldest; nothing when there is none.
  [[nodiscard]] std::optional<RunEnd> take();
  [[nodiscard]] std::size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::deque<RunEnd> ends_;
};

/// What happened on this node since its start. Any thread.
struct ExecutorCounters {
  std::atomic<std::int64_t> live_runs{0};  ///< runs whose start is confirmed and that have not returned
  std::atomic<std::int64_t> started{0};
  std::atomic<std::int64_t> succeeded{0};
  std::atomic<std::int64_t> failed{0};
  std::atomic<std::int64_t> canceled{0};
  std::atomic<std::int64_t> paused{0};
  std::atomic<std::int64_t> given_back{0};
  std::atomic<std::int64_t> retried{0};
  std::atomic<std::int64_t> handed_back{0};
  std::atomic<std::int64_t> lost{0};               ///< results dropped because the row was not ours any more
  std::atomic<std::int64_t> moved_away{0};         ///< runs cancelled for that reason
  std::atomic<std::int64_t> orphans{0};            ///< running rows that nobody ran
  std::atomic<std::int64_t> ignored_cancels{0};    ///< runs that went on for long after their cancel
  std::atomic<std::int64_t> unknown_types{0};      ///< tasks skipped because their type is not offered here
  std::atomic<std::int64_t> register_restored{0};  ///< times that the row of dist_framework_meta was gone
  std::atomic<std::int64_t> store_errors{0};
  std::atomic<std::int64_t> run_logs_written{0};   ///< runs whose last lines were written
  std::atomic<std::int64_t> run_logs_left_out{0};  ///< runs whose last lines were not: too many, or the store failed
};

/// Returns what a task may use on a node: its runtime slots (`max_runtime_slots` applied) and their share of the memory
/// (contract 3.10). Pure.
[[nodiscard]] proto::StepResource stepResourceOf(
    std::int32_t node_slots, std::int64_t node_memory, const proto::TaskBase& task
) noexcept;

class RunLogWriter;

/// What all task executors of one node share. The Manager owns one; the references outlive it. Any thread.
class NodeServices {
 public:
  NodeServices(const ExecutorSettings& node_settings, runtime::Clock& node_clock, Lease& node_lease)
      : settings(node_settings),
        live(node_settings),
        clock(node_clock),
        lease(node_lease),
        slots(node_settings.slots),
        exclusive(node_clock),
        writer(*this) {}
  NodeServices(const NodeServices&) = delete;
  NodeServices& operator=(const NodeServices&) = delete;

  const ExecutorSettings settings;  ///< as at the start: of what may change, `live` and `slots` have the present
  LiveSettings live;
  runtime::Clock& clock;
  Lease& lease;
  SlotManager slots;
  NodeExclusive exclusive;
  NodeWriter writer;
  UnwrittenEnds unwritten;
  RunLogWriter* run_logs = nullptr;  ///< takes what runs logged last; none: nobody keeps it. The Manager's
  ExecutorCounters counters;
  observability::SampledLog sampled{std::chrono::seconds(10)};  ///< for lines that would repeat at each check
  /// Modifications of tasks that the store counted at the last poll: tasks run here with what it was then, or tell that
  /// they do not yet (design rule 25). Written by polls.
  std::atomic<std::int64_t> modifications{0};
  /// Called, from any thread, when a task's queue here ran dry: the owner may want to know (design rule 21). Set before
  /// start.
  std::function<void(proto::TaskId)> on_queue_dry;
  /// Called by a poll when more modifications are applied here than before (Manager::appliedModifications): others wait
  /// for it. Set before start.
  std::function<void()> on_modified;
  /// Called, by the run's thread, when plugin code has returned from a subtask: the task's type, and how long it had
  /// it. Quick; must not throw. Set before start.
  std::function<void(const std::string& type, runtime::Duration took)> on_returned;
  /// Cancelled when the node vanishes: from then on nothing is written. Final writes use it, never the token of the
  /// cancelled run.
  runtime::CancelSource vanish;
  /// True once the stop deadline has passed: final writes are tried once and left to the Manager.
  std::atomic<bool> hurry{false};

  /// Returns what a task may use here now.
  [[nodiscard]] proto::StepResource resourceOf(const proto::TaskBase& task) const {
    return stepResourceOf(slots.capacity(), live.memoryBytes(), task);
  }
  /// Makes a store call that ends with the node, or after the call timeout.
  [[nodiscard]] storage::Call call() const { return {vanish.token(), runtime::Deadline(clock, settings.call_timeout)}; }
};

}  // namespace disttask::executor
