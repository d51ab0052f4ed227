#pragma once
#include "disttask/plugin/task_types.hpp"
#include "disttask/runtime/backoff.hpp"
#include "disttask/runtime/pool.hpp"
#include "disttask/runtime/timers.hpp"
#include "disttask/storage/node_table.hpp"
#include "disttask/storage/plan_table.hpp"
#include "disttask/storage/poll_table.hpp"
#include "disttask/storage/task_table.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace disttask::planning {

using runtime::Duration;

/// How a node plans.
struct PlanningSettings {
  proto::ExecId exec_id;
  Duration check_interval = std::chrono::milliseconds(300);  ///< between looks for plans while there are some
  Duration max_interval = std::chrono::seconds(2);           ///< the looks back off to this when there are none
  bool looks_by_itself = true;  ///< false: takePoll is called with each poll of the node, and no other look is made
  Duration call_timeout = std::chrono::seconds(10);  ///< of one store call
  plugin::PlanLimits limits;                         ///< of one batch, which is one transaction
  std::int64_t max_meta_bytes = 4 << 20;  ///< a larger meta of a subtask is an error before anything is written
  std::int32_t retry_limit = 10;  ///< planning errors in a row that may be tried again; then the last one is fatal
  runtime::BackoffPolicy backoff{std::chrono::seconds(1), std::chrono::seconds(30), 0.2};
};

/// What the service works with; everything outlives it.
struct PlanningParts {
  storage::PlanTable& plans;
  storage::NodeTable& nodes;
  storage::TaskTable& tasks;
  plugin::TaskTypes& types;
  runtime::Clock& clock;
  runtime::Timers& timers;
  runtime::Pool& ctl;   ///< the looks run here: one short store call each
  runtime::Pool& work;  ///< plans run here, one thread each; apart from the pool that runs subtasks
  /// A plan is complete, its first subtasks are in, or further ones a while later, or it was handed on: owner and nodes
  /// may want to go on. A hint, from a thread of `work`; may be empty.
  std::function<void()> on_progress;
};

/// Plans the steps that the owner has assigned to this node (design rule 20): asks the task type which step follows,
/// then batch by batch for its subtasks, spreads them over the nodes that fit and writes each batch in one transaction
/// that is fenced by the plan's token and cursor. Also runs the revert hook of a type. A plan for which a type throws
/// HandBack goes to another node that fits; when each has handed it on, it fails. Planning needs no lease: whoever
/// is fenced off writes nothing.
///
/// Any thread may call. Owns the jobs that run plans; a plan that is no longer this node's is cancelled at the next
/// look.
class PlanningService {
 public:
  PlanningService(const PlanningSettings& settings, const PlanningParts& parts);
  PlanningService(const PlanningService&) = delete;
  PlanningService& operator=(const PlanningService&) = delete;
  ~PlanningService();

  /// Begins to look, or to heed takePoll. Once only.
  void start();
  /// Looks for plans if this answer says that there are some. Returns whether there are, so that the next poll should
  /// come soon. One call at a time; for a service that does not look by itself.
  bool takePoll(const storage::NodePoll& seen);
  /// There may be a plan for this node: looks at once. A hint, for a service that looks by itself.
  void nudge();
  /// Cancels the plans that run, and begins no more; does not wait. They go on here or elsewhere from their cursor.
  void cancel();
  /// Cancels the plans that run and waits for them, at most for `patience` of real time. Returns how many have not
  /// ended: code of a type that does not obey. Idempotent, legal before start.
  std::size_t stop(std::optional<runtime::Duration> patience = std::nullopt);
  /// Returns how many plans run here now.
  [[nodiscard]] std::size_t numRunning() const;
  /// Returns how many looks have ended.
  [[nodiscard]] std::uint64_t numLooks() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace disttask::planning
