// The node's writer: what is merged, in which order, who sends, and that every write is concluded once.
#include "disttask/executor/node_writer.hpp"

#include "executor_fixture.hpp"

#include <catch2/catch.hpp>

#include <condition_variable>
#include <map>

using namespace disttask;
using namespace disttask::test;
using executor::NodeWriter;
using executor::RunWrites;
using executor::RunWritesResult;
using proto::SubtaskId;
using storage::RunFinish;
using storage::RunStart;

namespace {

/// A table whose batches a test holds up and looks at; all else is never called.
class GatedTable {
 public:
  explicit GatedTable(World& world) : inner_(world.rows) {}

  /// What one call of writeRuns brought: ids, negative for a finish.
  using Batch = std::vector<std::int64_t>;
  std::vector<Batch> batches() {
    const std::lock_guard lock(mutex_);
    return batches_;
  }
  /// Lets no batch through until open is called.
  void close() {
    const std::lock_guard lock(mutex_);
    open_ = false;
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void failNext(Error error) {
    const std::lock_guard lock(mutex_);
    error_ = std::move(error);
  }
  storage::TaskTable& table() { return inner_; }

 private:
  class Inner final : public storage::MemoryTaskTable {
   public:
    using MemoryTaskTable::MemoryTaskTable;
    GatedTable* gate = nullptr;
    std::vector<storage::RunWriteResult> writeRuns(
        const storage::Call& call, const proto::ExecId&, const std::vector<storage::RunWrite>& writes
    ) override {
      return gate->write(call, writes);
    }
  };
  std::vector<storage::RunWriteResult> write(const storage::Call& call, const std::vector<storage::RunWrite>& writes) {
    call.check("write");
    std::unique_lock lock(mutex_);
    Batch batch;
    for (const auto& write : writes) {
      const auto* finish = std::get_if<RunFinish>(&write);
      batch.push_back(finish != nullptr ? -finish->id.value() : std::get<RunStart>(write).id.value());
    }
    batches_.push_back(batch);
    changed_.wait(lock, [&] { return open_; });
    if (error_) throw Exception(*std::exchange(error_, std::nullopt));
    std::vector<storage::RunWriteResult> results(writes.size());
    for (auto& result : results) result.outcome = proto::TransitionOutcome::kApplied;
    return results;
  }

  Inner inner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Batch> batches_;
  std::optional<Error> error_;
  bool open_ = true;

 public:
  void connect() { inner_.gate = this; }
};

class Owner final : public executor::WriteOwner {
 public:
  bool maySendStarts() const noexcept override { return may_start; }
  void concluded(RunWrites writes, RunWritesResult result) noexcept override {
    const std::lock_guard lock(mutex_);
    if (writes.finish) finishes[writes.finish->id.value()].push_back(result.finish);
    if (writes.start) starts[writes.start->id.value()].push_back(result.start);
    if (writes.finish) metas[writes.finish->id.value()] = writes.finish->meta;
  }
  bool mustDrive() noexcept override {
    ++num_asked;
    return has_thread;
  }
  [[nodiscard]] std::size_t numConcluded() const {
    const std::lock_guard lock(mutex_);
    return finishes.size() + starts.size();
  }

  std::atomic<bool> may_start{true};
  std::atomic<bool> has_thread{true};
  std::atomic<int> num_asked{0};
  std::map<std::int64_t, std::vector<std::optional<storage::RunWriteResult>>> finishes;
  std::map<std::int64_t, std::vector<std::optional<storage::RunWriteResult>>> starts;
  std::map<std::int64_t, std::string> metas;

 private:
  mutable std::mutex mutex_;
};

struct Writing {
  World world;
  executor::NodeServices node{world.settings, world.clock, world.lease};
  GatedTable gate{world};
  Owner first;
  Owner second;
  NodeWriter& writer = node.writer;
  runtime::ThreadGroup threads;  // last
  Writing() { gate.connect(); }

  void start(Owner& owner, std::int64_t id) {
    RunWrites writes;
    writes.start = RunStart{SubtaskId(id), {proto::TaskId(1), kStepOne, 1, proto::RunToken{}}, true};
    writer.submit(gate.table(), owner, std::move(writes));
  }
  void finish(Owner& owner, std::int64_t id, std::string meta = "result", std::int64_t next = 0) {
    RunWrites writes;
    writes.finish = RunFinish{SubtaskId(id), std::move(meta), std::nullopt};
    if (next != 0) writes.start = RunStart{SubtaskId(next), {proto::TaskId(1), kStepOne, 1, proto::RunToken{}}, true};
    writer.submit(gate.table(), owner, std::move(writes));
  }
};

using Batches = std::vector<GatedTable::Batch>;

}  // namespace

TEST_CASE("What is submitted while a batch is on its way goes out as one, in order", "[executor][writer]") {
  Writing w;
  w.gate.close();
  w.start(w.first, 1);
  w.threads.spawn("sender", [&] { w.writer.drive(); });
  REQUIRE(eventually([&] { return w.gate.batches().size() == 1; }));
  w.finish(w.first, 10, "a", 11);
  w.start(w.second, 20);
  w.finish(w.second, 21);
  w.finish(w.first, 12, "b", 13);
  CHECK_FALSE(w.writer.drive());  // somebody is sending
  CHECK(w.first.num_asked == 0);
  w.gate.open();
  w.threads.join();
  // The sender has sent one batch and goes back to its own work: the owner of the next write is asked.
  CHECK(w.first.num_asked == 1);
  CHECK(w.second.num_asked == 0);
  CHECK(w.writer.drive());
  CHECK(w.gate.batches() == Batches{{1}, {-10, 11, 20, -21, -12, 13}});
  CHECK(w.first.numConcluded() == 5);
  CHECK(w.second.numConcluded() == 2);
  CHECK_FALSE(w.writer.drive());
  CHECK(w.writer.numBatches() == 2);
  CHECK(w.writer.numWrites() == 7);
}

TEST_CASE("The sender sends on for an owner whose threads are all busy", "[executor][writer]") {
  Writing w;
  w.second.has_thread = false;
  w.gate.close();
  w.start(w.first, 1);
  w.threads.spawn("sender", [&] { w.writer.drive(); });
  REQUIRE(eventually([&] { return w.gate.batches().size() == 1; }));
  w.finish(w.second, 2, "r", 3);
  w.gate.open();
  w.threads.join();
  CHECK(w.second.num_asked == 1);
  CHECK(w.gate.batches() == Batches{{1}, {-2, 3}});
  CHECK_FALSE(w.writer.progress());
}

TEST_CASE("A batch ends at 64 writes or a MiB, and never between a finish and its next start", "[executor][writer]") {
  Writing w;
  SECTION("writes") {
    w.start(w.first, 1000);
    for (int i = 1; i <= 40; ++i) w.finish(w.first, i, "r", 100 + i);
    while (w.writer.drive()) {
    }
    const auto batches = w.gate.batches();
    REQUIRE(batches.size() == 2);
    CHECK(batches[0].size() == 63);
    CHECK(batches[1].size() == 18);
    CHECK(batches[1].front() < 0);
  }
  SECTION("bytes") {
    for (int i = 1; i <= 3; ++i) w.finish(w.first, i, std::string(600'000, 'x'), 100 + i);
    w.finish(w.first, 4, std::string(3'000'000, 'y'));
    while (w.writer.drive()) {
    }
    CHECK(w.gate.batches() == Batches{{-1, 101}, {-2, 102}, {-3, 103}, {-4}});
    CHECK(w.first.metas.at(4).size() == 3'000'000);
  }
}

TEST_CASE("Starts are withheld when the lease or their owner does not allow them any more", "[executor][writer]") {
  Writing w;
  w.finish(w.first, 1, "r", 2);
  w.start(w.second, 3);
  SECTION("lease") {
    w.world.lease.open = false;
    CHECK(w.writer.drive());
    CHECK(w.gate.batches() == Batches{{-1}});
    CHECK_FALSE(w.second.starts.at(3).at(0));
  }
  SECTION("owner") {
    w.first.may_start = false;
    CHECK(w.writer.drive());
    CHECK(w.gate.batches() == Batches{{-1, 3}});
    CHECK(w.second.starts.at(3).at(0)->outcome == proto::TransitionOutcome::kApplied);
  }
  CHECK(w.first.finishes.at(1).at(0)->outcome == proto::TransitionOutcome::kApplied);
  CHECK_FALSE(w.first.starts.at(2).at(0));
}

TEST_CASE("Nothing but withheld starts sends nothing", "[executor][writer]") {
  Writing w;
  w.world.lease.open = false;
  w.start(w.first, 1);
  CHECK(w.writer.drive());
  CHECK(w.gate.batches().empty());
  CHECK_FALSE(w.first.starts.at(1).at(0));
}

TEST_CASE(
    "A batch that fails as a whole is concluded with its error, and finishes come back whole", "[executor][writer]"
) {
  Writing w;
  w.finish(w.first, 1, "kept", 2);
  SECTION("by the store") {
    w.gate.failNext(Error(ErrorCode::kStoreUnavailable, "gone"));
    CHECK(w.writer.drive());
    CHECK(w.first.finishes.at(1).at(0)->error->message() == "gone");
  }
  SECTION("because the node vanishes") {
    w.node.vanish.cancel(runtime::CancelCause::kClosed);
    CHECK(w.writer.drive());
    CHECK(w.first.finishes.at(1).at(0)->error->code() == ErrorCode::kCancelled);
    CHECK(w.gate.batches().empty());
  }
  CHECK(w.first.metas.at(1) == "kept");
  CHECK(w.first.starts.at(2).at(0)->error);
  // The writer goes on.
  w.start(w.second, 3);
  CHECK(w.writer.drive());
  CHECK(w.second.numConcluded() == 1);
}

TEST_CASE(
    "The writer's progress stands still while a batch hangs, and there is none when all is written",
    "[executor][writer]"
) {
  Writing w;
  CHECK_FALSE(w.writer.progress());
  w.start(w.first, 1);
  CHECK(w.writer.progress() == 0);  // nobody sends: that is standing still as well
  w.gate.close();
  w.threads.spawn("sender", [&] { w.writer.drive(); });
  REQUIRE(eventually([&] { return w.gate.batches().size() == 1; }));
  CHECK(w.writer.progress() == 0);
  w.start(w.first, 2);
  w.gate.open();
  w.threads.join();
  CHECK(w.writer.progress() == 1);
  w.gate.failNext(Error(ErrorCode::kStoreUnavailable, "gone"));
  w.start(w.first, 3);
  CHECK(w.writer.drive());
  CHECK_FALSE(w.writer.progress());
  CHECK(w.writer.numBatches() == 2);
}

TEST_CASE("Every write of many threads is concluded exactly once and in the order of its owner", "[executor][writer]") {
  constexpr int kThreads = 6;
  constexpr int kWrites = 400;
  Writing w;
  std::vector<std::unique_ptr<Owner>> owners;
  for (int t = 0; t < kThreads; ++t) owners.push_back(std::make_unique<Owner>());
  for (int t = 0; t < kThreads; ++t) {
    w.threads.spawn("owner", [&, t] {
      auto& owner = *owners[static_cast<std::size_t>(t)];
      for (int i = 1; i <= kWrites; ++i) {
        const auto id = t * 10'000 + i;
        w.finish(owner, id, "r", id + 5000);
        // As a thread of a step does: it sends itself, or is asked to.
        w.writer.drive();
        if (owner.num_asked.exchange(0) > 0) w.writer.drive();
      }
      while (owner.numConcluded() < 2 * kWrites) w.writer.drive();
    });
  }
  w.threads.join();
  std::map<std::int64_t, std::int64_t> last;
  for (const auto& batch : w.gate.batches()) {
    CHECK(batch.size() <= storage::kMaxRunWrites);
    for (const auto id : batch) {
      if (id > 0) continue;
      auto& before = last[-id / 10'000];
      CHECK(-id > before);
      before = -id;
    }
  }
  for (const auto& owner : owners) {
    CHECK(owner->finishes.size() == kWrites);
    CHECK(owner->starts.size() == kWrites);
    for (const auto& [id, results] : owner->finishes) CHECK(results.size() == 1);
  }
}
