// C++20 layer over disttask_plugin.h for plugin authors: derive, throw, return std::string. Header-only; depends on
// nothing else. Include it where you need it, and end one source file of the plugin with DISTTASK_PLUGIN(name, version,
// Type1, Type2…).
#pragma once
#include "disttask_plugin.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace disttask::sdk {

// What a hook may throw. Any other exception, of any type, is a permanent failure with its text.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};  ///< permanent
struct RetryLater : std::runtime_error {
  using std::runtime_error::runtime_error;
};  ///< transient: again later
struct HandBack : std::runtime_error {
  using std::runtime_error::runtime_error;
};  ///< runSubtask, nextStep, plan, revert, cleanUp: this node cannot, another may
struct Cancelled : std::runtime_error {
  Cancelled() : std::runtime_error("cancelled") {}
};

enum class LogLevel : std::int32_t {
  kDebug = DISTTASK_LOG_DEBUG,
  kInfo = DISTTASK_LOG_INFO,
  kWarn = DISTTASK_LOG_WARN,
  kError = DISTTASK_LOG_ERROR
};

inline constexpr std::int32_t kStepInit = DISTTASK_STEP_INIT;
inline constexpr std::int32_t kStepDone = DISTTASK_STEP_DONE;

/// A task; views are valid during the call.
struct Task {
  std::int64_t id = 0;  ///< 0 = a trial (task submit --dry-run): nextStep and plan must not write anything then
  std::int32_t slots = 1;
  std::string_view key, type, meta;
};

/// A subtask; views are valid during the call.
struct Subtask {
  std::int64_t id = 0, task_id = 0;
  std::int32_t step = 0, ordinal = 0;
  std::string_view meta;
};

/// What a step may use on this node.
struct Resource {
  std::int32_t slots = 1;
  std::int32_t parallel_subtasks = 1;  ///< how many runSubtask may overlap on this node; 0 = as many as it has slots
  std::int64_t memory_bytes = 0;
};

struct Summary {
  std::int64_t rows = 0, bytes = 0, read_bytes = 0;
};

/// The host during a call: log, cancel, named connections. Cheap to copy; valid during the call. Any thread.
class Host {
 public:
  explicit Host(const disttask_host* host) : host_(host) {}
  void log(LogLevel level, std::string_view message) const;
  /// True when the call should end soon.
  [[nodiscard]] bool cancelled() const;
  [[nodiscard]] std::int32_t cancelCause() const;
  void throwIfCancelled() const;
  /// Waits; throws Cancelled when cancelled meanwhile.
  void sleep(std::int64_t milliseconds) const;
  /// Returns a named connection of the configuration as JSON (see disttask_ext_connection); throws Failure when it may
  /// not be used.
  [[nodiscard]] std::string connection(std::string_view name) const;

  /// A place among the connection's max_connections of this node, given back by the destructor.
  class ConnectionPlace {
   public:
    ConnectionPlace(const disttask_host* host, std::string name);  ///< waits; throws Cancelled
    ConnectionPlace(ConnectionPlace&&) noexcept;
    ConnectionPlace& operator=(ConnectionPlace&&) = delete;
    ~ConnectionPlace();

   private:
    const disttask_host* host_;
    std::string name_;
  };
  [[nodiscard]] ConnectionPlace acquireConnection(std::string_view name) const;

 private:
  const disttask_host* host_;
};

/// One run of one subtask.
class Run : public Host {
 public:
  explicit Run(const disttask_run* run) : Host(run->host), run_(run) {}
  void addProgress(std::int64_t rows, std::int64_t bytes = 0, std::int64_t read_bytes = 0) const;
  [[nodiscard]] std::string checkpoint() const;
  /// Keeps a checkpoint; throws Cancelled when the subtask is not this node's any more.
  void putCheckpoint(std::string_view checkpoint) const;
  [[nodiscard]] std::int64_t runToken() const;
  [[nodiscard]] std::int64_t validForMs() const;

 private:
  const disttask_run* run_;
};

/// One call of plan.
class Planning : public Host {
 public:
  explicit Planning(const disttask_planning* planning) : Host(planning->host), planning_(planning) {}
  void addSubtask(std::string_view meta);
  [[nodiscard]] std::int32_t numNodes() const { return planning_->num_nodes; }
  [[nodiscard]] std::int32_t maxRows() const { return planning_->max_rows; }
  [[nodiscard]] std::int64_t maxBytes() const { return planning_->max_bytes; }
  /// True when the batch has room for one more meta of this size.
  [[nodiscard]] bool hasRoom(std::size_t meta_bytes) const;
  /// Streams the results of the step before: each(ordinal, meta) → false to stop. Exceptions of `each` come out here.
  void readResults(
      std::int32_t step, std::int32_t after, const std::function<bool(std::int32_t, std::string_view)>& each
  ) const;

 private:
  const disttask_planning* planning_;
  std::int32_t num_rows_ = 0;
  std::int64_t num_bytes_ = 0;
};

/// What plan returns: where to go on (another cursor than the one it was given), or that this was the last batch.
struct Cursor {
  std::string next;
  bool complete = false;
};

/// Runs the subtasks of one step of one task on one node.
class Step {
 public:
  virtual ~Step() = default;
  virtual void init(const Host&) {}
  /// Returns the result, kept as the subtask's meta; an empty string keeps the meta as it is.
  virtual std::string runSubtask(Run& run, const Subtask& subtask) = 0;
  /// After runSubtask, before the finish is written; `subtask.meta` is the result. Returns a new one, or empty.
  virtual std::string onFinished(Run&, const Subtask&) { return {}; }
  /// Overrides the counters of addProgress; false keeps them. Any thread.
  virtual bool realtimeSummary(const Subtask&, Summary&) { return false; }
  /// The task's meta changed. May overlap with runSubtask.
  virtual void taskMetaModified(const Host&, std::string_view /*meta*/) {}
  /// What this node gives the task changed. May overlap with runSubtask.
  virtual void resourceModified(const Host&, const Resource&) {}
  /// Once, after the last run; not after a failed init.
  virtual void cleanup(const Host&) {}
};

/// A task type. One object per process; planning, createStep and the predicates come from several threads at once.
class TaskType {
 public:
  virtual ~TaskType() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual std::string version() const { return "0"; }
  [[nodiscard]] virtual std::int32_t retryLimit() const { return DISTTASK_TYPE_RETRY_DEFAULT; }
  /// Of retries, in ms: the first wait and the longest one, each at most an hour; 0 = the default of the host.
  [[nodiscard]] virtual std::int64_t backoffBaseMs() const { return 0; }
  [[nodiscard]] virtual std::int64_t backoffCapMs() const { return 0; }
  [[nodiscard]] virtual std::int32_t parallelSubtasks() const { return 1; }     ///< default; 0 = auto
  [[nodiscard]] virtual std::int32_t maxParallelSubtasks() const { return 1; }  ///< 0 = no limit

  /// Gets plugins.config.NAME of the host's configuration as JSON, "{}" when absent. Throw to refuse to be loaded.
  virtual void configure(const Host&, std::string_view /*config*/) {}
  /// Checks a task meta without a daemon; throw with what is wrong.
  virtual void validate(std::string_view /*meta*/) {}
  /// Returns the step after `after` (kStepInit first), or kStepDone. Default: one step, number 1.
  virtual std::int32_t nextStep(const Host&, const Task&, std::int32_t after) {
    return after == kStepInit ? 1 : kStepDone;
  }
  /// Adds the next subtasks of `step`. The same cursor must give the same subtasks.
  virtual Cursor plan(Planning& planning, const Task& task, std::int32_t step, std::string_view cursor) = 0;
  /// Makes the object that runs the step's subtasks on this node; init follows.
  virtual std::unique_ptr<Step> createStep(
      const Host&, const Task& task, std::int32_t step, const Resource& resource
  ) = 0;
  /// True: a run that ended without a result may be repeated.
  [[nodiscard]] virtual bool isIdempotent(const Subtask&) { return false; }
  /// True: an exception with this text is worth a retry (RetryLater always is).
  [[nodiscard]] virtual bool isRetryable(std::string_view /*error*/) { return false; }
  /// Undoes outside effects of a failed or cancelled task; may be called again, also while an earlier call goes on
  /// elsewhere.
  virtual void revert(const Host&, const Task&) {}
  /// Removes what an ended task left behind outside of its rows; called again as revert is. A type that does not
  /// override it costs its tasks nothing.
  virtual void cleanUp(const Host&, const Task&, bool /*succeeded*/) {}
};

}  // namespace disttask::sdk

/// Defines the entry point: DISTTASK_PLUGIN("name", "1.0", MyType, OtherType)
#define DISTTASK_PLUGIN(plugin_name, plugin_version, ...)                                 \
  extern "C" const disttask_plugin* disttask_plugin_entry_v0(void) {                      \
    return ::disttask::sdk::detail::descriptor<__VA_ARGS__>(plugin_name, plugin_version); \
  }

#include "disttask_plugin_detail.hpp"
#include "disttask_plugin_host.hpp"
