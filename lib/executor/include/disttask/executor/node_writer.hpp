#pragma once
#include "disttask/storage/run_write.hpp"
#include "disttask/storage/task_table.hpp"

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

namespace disttask::executor {

class NodeServices;

/// What goes to the store together: the finish of a run, the start of the next one, or one of both.
struct RunWrites {
  std::optional<storage::RunFinish> finish;
  std::optional<storage::RunStart> start;
};

/// What became of them, each set as the write was. A start that was withheld, because the lease or its owner does not
/// allow it any more, has none: nothing was sent.
struct RunWritesResult {
  std::optional<storage::RunWriteResult> finish;
  std::optional<storage::RunWriteResult> start;
};

/// Who brings writes: a step with its threads. Outlives its writes: each of them is concluded exactly once.
class WriteOwner {
 public:
  /// False: starts that were not sent yet are not to be sent. Any thread; quick.
  [[nodiscard]] virtual bool maySendStarts() const noexcept = 0;
  /// Learns what became of a write; on the sending thread, which may be another owner's. Quick: it may wake threads.
  virtual void concluded(RunWrites writes, RunWritesResult result) noexcept = 0;
  /// Nobody sends now, and a write of this owner is next: one of its threads has to call drive. False: all of them are
  /// busy, so the caller sends on. Called under the writer's lock, so it must not call the writer.
  [[nodiscard]] virtual bool mustDrive() noexcept = 0;

 protected:
  ~WriteOwner() = default;
};

/// Writes all starts and finishes of this node, many with one statement (design rule 15). It has no thread and no
/// timer: a batch is what was submitted while the one before was on its way; when none is, the thread that brought a
/// write sends it. First in, first out, so in order for each task.
///
/// Whoever submits must see to it that one of its threads calls drive soon; after a batch the role goes to the owner of
/// the next write, so that a thread sends one batch at most before it turns to its own work; where that owner has no
/// thread to spare, the sender goes on. A batch is bounded by the node's call timeout, and what failed goes back to its
/// owner. Any thread; owned by NodeServices.
class NodeWriter {
 public:
  explicit NodeWriter(NodeServices& node) : node_(node) {}
  NodeWriter(const NodeWriter&) = delete;
  NodeWriter& operator=(const NodeWriter&) = delete;

  void submit(storage::TaskTable& table, WriteOwner& owner, RunWrites writes);
  /// Sends a batch and concludes it; false, at once, when there is nothing to send or another thread is sending.
  bool drive();

  /// Moves with each batch that was tried, a failed one too; nothing while there is nothing to write. A writer that
  /// stands still for much longer than the call timeout is wedged (design rule 2).
  [[nodiscard]] std::optional<std::uint64_t> progress() const;
  /// Returns how many batches were concluded, and how many writes were in them.
  [[nodiscard]] std::uint64_t numBatches() const;
  [[nodiscard]] std::uint64_t numWrites() const;

 private:
  struct Entry {
    storage::TaskTable* table = nullptr;
    WriteOwner* owner = nullptr;
    RunWrites writes;
  };
  [[nodiscard]] std::vector<Entry> takeBatch();  // under mutex_
  std::size_t send(std::vector<Entry>& batch);

  NodeServices& node_;
  mutable std::mutex mutex_;
  // guarded by mutex_
  std::deque<Entry> queue_;
  bool sending_ = false;
  std::uint64_t num_batches_ = 0;
  std::uint64_t num_writes_ = 0;
};

}  // namespace disttask::executor
