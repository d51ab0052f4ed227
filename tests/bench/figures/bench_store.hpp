#pragma once
#include "disttask/runtime/clock.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "disttask/storage/mysql/store.hpp"
#include "run_log.hpp"

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace disttask::bench {

/// Waits; benchmarks let time pass.
void pause(runtime::Duration duration);
/// Waits until `ready()`; throws kTimedOut with `what` after `limit`.
void awaitUntil(runtime::Duration limit, std::string_view what, const std::function<bool()>& ready);

/// Returns the CPU time that a process has used, all its threads, those that have ended too, in seconds.
[[nodiscard]] double cpuSecondsOf(pid_t pid);

/// The schema of the benchmark on the server under test, made anew, and what the benchmark itself reads and writes
/// there. One thread.
class BenchStore {
 public:
  /// Drops and makes the schema.
  BenchStore(sqlclient::ConnectSettings connect, std::string schema);
  BenchStore(const BenchStore&) = delete;
  BenchStore& operator=(const BenchStore&) = delete;
  /// Drops the schema.
  ~BenchStore();

  [[nodiscard]] storage::mysql::Store& store() noexcept { return *store_; }
  [[nodiscard]] sqlclient::Connection& connection() noexcept { return *connection_; }
  [[nodiscard]] const sqlclient::ConnectSettings& connect() const noexcept { return connect_; }
  [[nodiscard]] const std::string& schema() const noexcept { return schema_; }

  /// Inserts a task that runs in step 1, as a scheduler would leave it; returns its id.
  std::int64_t addTask(std::int32_t parallel = 1);
  /// Inserts `count` subtasks of step 1 for a node, ordinals from `first`. Of them the first `num_finished` are done.
  void addSubtasks(
      std::int64_t task_id,
      const std::string& exec_id,
      std::int64_t first,
      std::int64_t count,
      std::int64_t num_finished
  );
  /// Inserts one pending subtask; returned = committed.
  void addSubtask(
      std::int64_t task_id, const std::string& exec_id, std::int64_t ordinal, const std::string& meta = "{}"
  );
  /// Empties the tables of tasks, subtasks and side rows.
  void clear();
  /// Returns how many subtasks of a task are in a state.
  [[nodiscard]] std::int64_t numInState(std::int64_t task_id, const std::string& state);
  /// Returns a counter of the server, `show global status`. Counts as one question itself.
  [[nodiscard]] std::int64_t status(const std::string& name);
  /// Returns counters of the server that a benchmark checks itself with. One question.
  [[nodiscard]] std::map<std::string, std::int64_t> counters();
  /// Rows of a task that have been started are pending again, as before.
  void resetRuns(std::int64_t task_id);
  /// Waits until the server has tidied up after bulk writes, at most `limit`.
  void settle(runtime::Duration limit = std::chrono::seconds(30));

 private:
  sqlclient::ConnectSettings connect_;
  std::string schema_;
  std::unique_ptr<storage::mysql::Store> store_;
  std::unique_ptr<sqlclient::Connection> connection_;
  static std::int64_t monotonicKey();

  std::int64_t num_tasks_ = 0;
};

}  // namespace disttask::bench
