// How the runs of a step share threads, places and the node's writer.
#include "executor_fixture.hpp"

#include <catch2/catch.hpp>

#include <condition_variable>

using namespace disttask;
using namespace disttask::test;
using proto::SubtaskId;
using proto::SubtaskState;

namespace {

/// A table on which one row is locked by somebody: a batch with it comes back unsent, a write of it alone waits.
class LockedTable final : public storage::MemoryTaskTable {
 public:
  using MemoryTaskTable::MemoryTaskTable;

  std::vector<storage::RunWriteResult> writeRuns(
      const storage::Call& call, const proto::ExecId& exec_id, const std::vector<storage::RunWrite>& writes
  ) override {
    {
      const std::lock_guard lock(mutex_);
      sizes_.push_back(writes.size());
    }
    bool meets = false;
    for (const auto& write : writes) {
      meets = meets || idOf(write) == locked;
    }
    if (meets) {
      std::unique_lock lock(mutex_);
      ++num_met_;
      changed_.wait(lock, [&] { return !holds_; });
    }
    if (!meets || open_) return MemoryTaskTable::writeRuns(call, exec_id, writes);
    Error error(ErrorCode::kStoreConflict, "lock wait");
    error.setStoreNumber(1205);
    return std::vector<storage::RunWriteResult>(writes.size(), {proto::TransitionOutcome::kLost, error});
  }
  proto::TransitionOutcome finishSubtask(
      const storage::Call& call,
      const proto::ExecId& exec_id,
      SubtaskId id,
      const std::string& meta,
      const std::optional<std::string>& summary
  ) override {
    if (id == locked) waitOpen();
    return MemoryTaskTable::finishSubtask(call, exec_id, id, meta, summary);
  }
  proto::TransitionOutcome startSubtask(
      const storage::Call& call, const proto::SubtaskBase& subtask, const proto::ExecId& exec_id, bool idempotent
  ) override {
    if (subtask.id == locked) waitOpen();
    return MemoryTaskTable::startSubtask(call, subtask, exec_id, idempotent);
  }

  void unlock() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  /// Holds a batch that meets the lock up, until it is let go.
  void hold(bool on) {
    const std::lock_guard lock(mutex_);
    holds_ = on;
    changed_.notify_all();
  }
  /// Returns how many batches met the lock.
  int numMet() {
    const std::lock_guard lock(mutex_);
    return num_met_;
  }
  /// Returns how many writes each batch had.
  std::vector<std::size_t> sizes() {
    const std::lock_guard lock(mutex_);
    return sizes_;
  }

  std::atomic<SubtaskId> locked{};

 private:
  static SubtaskId idOf(const storage::RunWrite& write) {
    return std::visit([](const auto& each) { return each.id; }, write);
  }
  void waitOpen() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_.load(); });
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> open_{false};
  std::vector<std::size_t> sizes_;
  bool holds_ = false;
  int num_met_ = 0;
};

struct Steps {
  World world;
  proto::TaskId task = world.addTask();
  executor::NodeServices node{world.settings, world.clock, world.lease};
  LockedTable table{world.rows};

  bool allDone(int count) {
    return world.runUntil([&] { return world.numInState(task, SubtaskState::kSucceed) == count; }, 10ms);
  }
};

plugin::TaskTypeOptions parallel(std::int32_t count) {
  plugin::TaskTypeOptions options;
  options.parallel_subtasks = count;
  return options;
}

}  // namespace

TEST_CASE("A finish and the start of the next subtask go into one write", "[executor][writes]") {
  Steps steps;
  const auto count = GENERATE(1, 2, 40);
  steps.world.addSubtasks(steps.task, count);
  RunningExecutor running(steps.world, steps.node, steps.task, {}, &steps.table);
  running.start();
  REQUIRE(steps.allDone(count));
  const auto sizes = steps.table.sizes();
  REQUIRE(eventually([&] { return steps.node.counters.succeeded == count; }));
  // One for the first start, one for the last finish; a queue that ran dry on the way splits one more.
  CHECK(sizes.size() >= static_cast<std::size_t>(count) + 1);
  CHECK(sizes.size() <= static_cast<std::size_t>(count) + 3);
}

TEST_CASE("A locked row keeps its own subtask waiting and no other", "[executor][writes]") {
  Steps steps;
  const auto ids = steps.world.addSubtasks(steps.task, 60);
  const auto at = GENERATE(std::size_t{0}, std::size_t{5});
  const bool at_start = GENERATE(true, false);
  CAPTURE(at, at_start);
  if (at_start) {
    steps.table.locked = ids[at];
  } else {
    steps.world.script.run = [&](auto&, auto& subtask) {
      if (subtask.id == ids[at]) steps.table.locked = ids[at];
    };
  }
  RunningExecutor running(steps.world, steps.node, steps.task, parallel(4), &steps.table);
  running.start();
  REQUIRE(steps.allDone(59));
  CHECK(steps.world.state(ids[at]) == (at_start ? SubtaskState::kPending : SubtaskState::kRunning));
  steps.table.unlock();
  REQUIRE(steps.allDone(60));
  CHECK(steps.node.counters.lost == 0);
  CHECK(steps.node.counters.store_errors == 0);
}

TEST_CASE(
    "An end that is written alone, beside a long run, leaves somebody to send what else was submitted",
    "[executor][writes]"
) {
  Steps steps;
  const auto ids = steps.world.addSubtasks(steps.task, 4);
  Blocker blocker;
  std::atomic<int> num_begun{0};
  std::atomic<bool> second_returned{false};
  steps.table.hold(true);
  steps.world.script.run = [&](auto& context, auto& subtask) {
    ++num_begun;
    const auto until = [&](auto&& reached) {
      while (!reached() && context.sleepFor(1ms)) {
      }
    };
    if (subtask.id == ids[0]) {
      until([&] { return num_begun == 2; });
      steps.table.locked = ids[0];
    } else if (subtask.id == ids[1]) {
      until([&] { return steps.table.numMet() == 1; });
      second_returned = true;
    } else if (subtask.id == ids[2]) {
      blocker.wait(context);
    }
  };
  RunningExecutor running(steps.world, steps.node, steps.task, parallel(2), &steps.table);
  const std::unique_ptr<LockedTable, void (*)(LockedTable*)> opened(&steps.table, [](LockedTable* table) {
    table->hold(false);
    table->unlock();
  });
  running.start();
  // The thread of the second one submits its finish while the other one sends, and goes idle.
  REQUIRE(steps.world.runUntil([&] { return second_returned.load(); }, 1ms));
  steps.table.hold(false);
  REQUIRE(steps.world.runUntil([&] { return steps.world.state(ids[1]) == SubtaskState::kSucceed; }, 10ms));
  REQUIRE(steps.world.runUntil([&] { return blocker.numWaiting() == 1; }, 10ms));
  CHECK(steps.world.state(ids[0]) == SubtaskState::kRunning);
  CHECK_FALSE(steps.node.writer.progress());
  steps.table.unlock();
  blocker.letGo();
  REQUIRE(steps.allDone(4));
}

TEST_CASE("A long run holds up neither the finish nor the start of others", "[executor][writes]") {
  Steps steps;
  const auto ids = steps.world.addSubtasks(steps.task, 30);
  Blocker blocker;
  steps.world.script.run = [&](auto& context, auto& subtask) {
    if (subtask.ordinal % 10 == 1) blocker.wait(context);
  };
  RunningExecutor running(steps.world, steps.node, steps.task, parallel(4));
  running.start();
  REQUIRE(steps.allDone(27));
  CHECK(blocker.numWaiting() == 3);
  blocker.letGo();
  REQUIRE(steps.allDone(30));
}

TEST_CASE("No more subtasks are started than run at a time, however quick they are", "[executor][writes]") {
  Steps steps;
  constexpr int kCount = 300;
  constexpr int kParallel = 5;
  steps.world.addSubtasks(steps.task, kCount);
  std::atomic<int> most{0};
  const auto look = [&] {
    int running = 0;
    steps.world.rows.change([&](auto& data) {
      for (const auto& [id, row] : data.subtasks) running += row.state == SubtaskState::kRunning ? 1 : 0;
    });
    most = std::max(most.load(), running);
  };
  steps.world.script.run = [&](auto&, auto&) { look(); };
  RunningExecutor running(steps.world, steps.node, steps.task, parallel(kParallel));
  running.start();
  REQUIRE(steps.allDone(kCount));
  CHECK(most <= kParallel);
  CHECK(most >= 2);
}

TEST_CASE("Metas beyond the bound of the queue are read when their subtask begins", "[executor][writes]") {
  Steps steps;
  steps.world.settings.prefetch_bytes = 20'000;
  executor::NodeServices node{steps.world.settings, steps.world.clock, steps.world.lease};
  const auto ids = steps.world.addSubtasks(steps.task, 8);
  steps.world.rows.change([&](auto& data) {
    for (const auto id : ids) data.subtasks[id].meta = std::string(5'000, 'm') + std::to_string(id.value());
  });
  std::atomic<int> right{0};
  steps.world.script.run = [&](auto&, auto& subtask) {
    right += subtask.meta == std::string(5'000, 'm') + std::to_string(subtask.id.value()) ? 1 : 0;
    subtask.meta = "ran";
  };
  RunningExecutor running(steps.world, node, steps.task);
  running.start();
  REQUIRE(steps.allDone(8));
  CHECK(right == 8);
  CHECK(steps.world.rows.numCalls("getSubtaskMeta") > 0);
  CHECK(steps.world.rows.subtask(ids[0])->meta == "ran");
}

TEST_CASE("Rows that come back below what was read before are found again", "[executor][writes]") {
  Steps steps;
  const auto early = steps.world.addSubtask(steps.task, kStepOne, "node-b");
  steps.world.addSubtasks(steps.task, 200);
  steps.world.script.run = [&](auto&, auto& subtask) {
    if (subtask.ordinal == 150) {
      steps.world.rows.change([&](auto& data) { data.subtasks[early].exec_id = kNode; });
    }
  };
  RunningExecutor running(steps.world, steps.node, steps.task);
  running.start();
  REQUIRE(steps.allDone(201));
}
