#pragma once
#include "disttask/base/error.hpp"
#include "disttask/proto/subtask.hpp"
#include "disttask/proto/task.hpp"
#include "disttask/runtime/clock.hpp"
#include "disttask/storage/run_log_table.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::storage {

/// The side row of attempts of one subtask (design rule 9).
struct MemoryAttempt {
  std::int32_t abnormal_ends = 0;
  std::int32_t ends_alone = 0;
  std::int64_t last_token = 0;  ///< token of the last abnormal end that was counted
  std::int32_t retries = 0;
  std::int64_t not_before_ms = 0;  ///< milliseconds since the epoch by the store
  std::string last_error;
  std::set<proto::ExecId> handed_back;
};

/// A row of dist_framework_meta.
struct MemoryMeta {
  std::string role;
  std::int32_t slots = 0;
};

/// A failure to come: the `nth` call (1 = the next) of `method` (empty = any) throws `error`, as do `times - 1` more
/// calls after it.
struct MemoryFault {
  std::string method;
  int nth = 1;
  int times = 1;
  Error error{ErrorCode::kStoreUnavailable, "the store is gone"};
  bool after = false;  ///< the call is applied first: its answer is lost
};

/// The rows of one store in memory: what several MemoryTaskTable objects (several processes) share. Made for tests and
/// for trying things out; nothing is kept. One lock around everything: each call is one transaction. Any thread; the
/// clock must outlive this.
class MemoryRows {
 public:
  /// The rows themselves; reached only under the lock, inside apply().
  struct Data {
    std::map<proto::TaskId, proto::Task> tasks;
    std::map<proto::SubtaskId, proto::Subtask> subtasks;
    std::map<proto::SubtaskId, std::string> checkpoints;
    std::map<proto::SubtaskId, MemoryAttempt> attempts;
    std::map<proto::ExecId, MemoryMeta> metas;
    std::map<proto::SubtaskId, RunLog> run_logs;
    std::int64_t now_ms = 0;  ///< the store's time during this call
    [[nodiscard]] std::int64_t nowSeconds() const noexcept { return now_ms / 1000; }
  };

  explicit MemoryRows(const runtime::Clock& clock = runtime::systemClock()) : clock_(clock) {}

  // --- behind the back of all processes ---
  /// Inserts a task; id 0 draws the next one. Returns the id.
  proto::TaskId insertTask(proto::Task task);
  /// Inserts a subtask; id 0 draws the next one, ordinal 0 the next of its task and step. Returns the id.
  proto::SubtaskId insertSubtask(proto::Subtask subtask);
  [[nodiscard]] std::optional<proto::Task> task(proto::TaskId id) const;
  [[nodiscard]] std::optional<proto::Subtask> subtask(proto::SubtaskId id) const;
  /// Returns the subtasks of a task, by step and ordinal.
  [[nodiscard]] std::vector<proto::Subtask> subtasks(proto::TaskId id) const;
  [[nodiscard]] MemoryAttempt attempt(proto::SubtaskId id) const;
  [[nodiscard]] std::string checkpoint(proto::SubtaskId id) const;
  [[nodiscard]] std::optional<MemoryMeta> meta(const proto::ExecId& host) const;
  /// Changes anything under the lock.
  void change(const std::function<void(Data&)>& change);
  /// Waits in real time until `ready` holds for the rows; false after `patience`.
  bool waitUntil(const std::function<bool(const Data&)>& ready, std::chrono::milliseconds patience) const;

  // --- failures and traces ---
  void inject(MemoryFault fault);
  /// From now on one call in `one_in` fails, by chance before or after it was applied; 0 = none.
  void injectByChance(std::uint32_t one_in);
  void clearFaults();
  /// Calls `hook` after each call of `method` that was applied, on the caller's thread and outside of the lock. An
  /// empty hook takes it away.
  void afterCall(const std::string& method, std::function<void()> hook);
  /// Returns how many calls of `method` were made by all tables, failed ones included.
  [[nodiscard]] int numCalls(std::string_view method) const;
  /// Returns all calls so far, in order, by name of method.
  [[nodiscard]] std::vector<std::string> calls() const;

  /// Runs one call of a table: faults, then `work` on the rows under the lock. Throws as TaskTable says.
  template <typename Work>
  auto apply(const runtime::Call& call, std::string_view method, Work&& work) {
    call.check(method);
    const auto fault = enter(method);
    if (fault && !fault->after) throw Exception(fault->error);
    std::unique_lock lock(mutex_);
    data_.now_ms = storeMillis();
    if constexpr (std::is_void_v<decltype(work(data_))>) {
      work(data_);
      changed_.notify_all();
      lock.unlock();
      leave(method, fault);
    } else {
      auto result = work(data_);
      changed_.notify_all();
      lock.unlock();
      leave(method, fault);
      return result;
    }
  }

 private:
  [[nodiscard]] std::optional<MemoryFault> enter(std::string_view method);
  void leave(std::string_view method, const std::optional<MemoryFault>& fault) const;
  [[nodiscard]] std::int64_t storeMillis() const noexcept;

  const runtime::Clock& clock_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  Data data_;
  std::int64_t next_task_id_ = 1;
  std::int64_t next_subtask_id_ = 1;
  std::deque<MemoryFault> faults_;
  std::uint32_t fail_one_in_ = 0;
  std::map<std::string, std::function<void()>, std::less<>> hooks_;
  std::vector<std::string> calls_;
};

}  // namespace disttask::storage
