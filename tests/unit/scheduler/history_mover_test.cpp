#include "disttask/scheduler/history_mover.hpp"

#include "disttask/base/error.hpp"
#include "disttask/observability/log_capture.hpp"
#include "disttask/runtime/thread_group.hpp"

#include "support/fake_clock.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <map>
#include <optional>
#include <set>

using namespace disttask;
using namespace disttask::test;
using proto::Life;
using proto::TaskId;

namespace {

/// Ended tasks with a number of subtasks each.
class FakeHistory final : public storage::HistoryTable {
 public:
  std::map<std::int64_t, std::int64_t> tasks;  ///< id → subtasks left
  std::set<std::int64_t> busy;                 ///< not at rest
  std::set<std::int64_t> broken;               ///< whose move fails
  std::vector<std::int64_t> moved;
  std::int64_t old = 0;
  std::int64_t old_events = 0;
  std::function<void()> on_batch;
  std::function<void()> on_look;
  ErrorCode failure = ErrorCode::kInternal;

  runtime::Duration asked_after{};
  runtime::Duration asked_keep{};

  std::vector<storage::EndedTask> findEndedTasks(
      const runtime::Call&, runtime::Duration ended_before, TaskId after, std::int32_t limit
  ) override {
    asked_after = ended_before;
    std::vector<storage::EndedTask> found;
    for (const auto& [id, left] : tasks) {
      if (id > after.value() && found.size() < static_cast<std::size_t>(limit))
        found.push_back({TaskId(id), "key-" + std::to_string(id), "example", proto::kStepDone});
    }
    return found;
  }
  bool isAtRest(const runtime::Call&, TaskId id) override {
    if (on_look) on_look();
    return busy.count(id.value()) == 0;
  }
  std::int64_t moveSubtasks(const runtime::Call& call, Life, TaskId id, std::int32_t limit) override {
    call.check("move");
    if (broken.count(id.value()) != 0) throw Exception(failure, "broken");
    auto& left = tasks.at(id.value());
    const auto count = std::min<std::int64_t>(left, limit);
    left -= count;
    if (on_batch) on_batch();
    return count;
  }
  bool moveTask(const runtime::Call&, Life, TaskId id) override {
    if (tasks.at(id.value()) > 0) return false;
    tasks.erase(id.value());
    moved.push_back(id.value());
    return true;
  }
  std::int64_t forgetSubtasks(const runtime::Call&, std::optional<Life>, runtime::Duration keep, std::int32_t limit)
      override {
    asked_keep = keep;
    const auto count = std::min<std::int64_t>(old, limit);
    old -= count;
    return count;
  }
  std::int64_t forgetEvents(const runtime::Call&, std::optional<Life>, runtime::Duration, std::int32_t limit) override {
    const auto count = std::min<std::int64_t>(old_events, limit);
    old_events -= count;
    return count;
  }
  std::int64_t forgetAttempts(const runtime::Call&, std::int32_t) override { return 0; }
};

class FakeRunLogs final : public storage::RunLogTable {
 public:
  std::int64_t old = 0;
  std::optional<Life> forgotten_by;
  void writeLogs(const runtime::Call&, const proto::ExecId&, const std::vector<storage::RunLog>&) override {}
  std::optional<storage::RunLog> findLog(const runtime::Call&, proto::SubtaskId) override { return std::nullopt; }
  std::int64_t forgetLogs(const runtime::Call&, std::optional<Life> owner, runtime::Duration, std::int32_t limit)
      override {
    forgotten_by = owner;
    const auto count = std::min<std::int64_t>(old, limit);
    old -= count;
    return count;
  }
};

struct Scene {
  FakeHistory history;
  FakeRunLogs run_logs;
  FakeClock clock;
  FakeTimers timers{clock};
  runtime::ThreadPool pool{"history", 1, 0, [](const Error&) {}};
  std::optional<Life> owner = Life(5);
  scheduler::HistorySettings settings;
  std::unique_ptr<scheduler::HistoryMover> mover;

  scheduler::HistoryMover& make() {
    mover = std::make_unique<scheduler::HistoryMover>(
        scheduler::HistoryDeps{history, clock, timers, pool, [this] { return owner; }, &run_logs}, settings
    );
    return *mover;
  }
};

}  // namespace

TEST_CASE("The mover moves each ended task whole and forgets what is old") {
  Scene scene;
  scene.history.tasks = {{1, 600}, {2, 0}};
  scene.history.old = 900;
  scene.history.old_events = 700;
  scene.run_logs.old = 600;
  auto& mover = scene.make();
  CHECK(mover.runRoundForTest() == scene.settings.interval);
  CHECK(scene.history.moved == std::vector<std::int64_t>{1, 2});
  CHECK(scene.history.old == 0);
  CHECK(scene.history.old_events == 0);
  CHECK(scene.run_logs.old == 0);
  CHECK(scene.run_logs.forgotten_by == scene.owner);
  CHECK(mover.numMoved() == 2);
}

TEST_CASE("The mover rests after each batch for as long as the batch took") {
  using namespace std::chrono_literals;
  Scene scene;
  scene.history.tasks = {{1, 2 * scene.settings.batch_rows}};
  TestSignal<runtime::TimePoint> batches;
  const std::vector<runtime::Duration> took = {300ms, 700ms, 100ms};
  std::size_t number = 0;
  scene.history.on_batch = [&] {
    scene.clock.advance(took.at(number++));  // the third one finds nothing
    batches.send(scene.clock.now());
  };
  auto& mover = scene.make();
  TestSignal<runtime::Duration> ended;
  runtime::ThreadGroup threads;
  threads.spawn("mover", [&] { ended.send(mover.runRoundForTest()); });
  for (const auto pause : {300ms, 700ms}) {
    REQUIRE(batches.wait());
    REQUIRE(eventually([&] { return scene.clock.numWaiters() == 1; }));
    scene.clock.advance(pause - 1ms);
    REQUIRE(scene.clock.comeToRest());
    CHECK_FALSE(batches.poll());
    scene.clock.advance(1ms);
  }
  REQUIRE(batches.wait());
  CHECK(ended.wait() == scene.settings.interval);
  CHECK(scene.history.moved == std::vector<std::int64_t>{1});
}

TEST_CASE("The mover rests after each look at a task that cannot be moved") {
  using namespace std::chrono_literals;
  Scene scene;
  scene.history.tasks = {{1, 0}, {2, 0}, {3, 0}};
  scene.history.busy = {1, 2, 3};
  TestSignal<bool> looks;
  scene.history.on_look = [&] {
    scene.clock.advance(200ms);
    looks.send(true);
  };
  auto& mover = scene.make();
  TestSignal<runtime::Duration> ended;
  runtime::ThreadGroup threads;
  threads.spawn("mover", [&] { ended.send(mover.runRoundForTest()); });
  for (int i = 0; i < 3; ++i) {
    REQUIRE(looks.wait());
    REQUIRE(eventually([&] { return scene.clock.numWaiters() == 1; }));
    CHECK_FALSE(looks.poll());
    scene.clock.advance(200ms);
  }
  CHECK(ended.wait() == scene.settings.interval);
}

TEST_CASE("The mover does nothing without the scheduler role, and stops when the role goes") {
  Scene scene;
  scene.history.tasks = {{1, 1000}};
  scene.owner.reset();
  auto& mover = scene.make();
  mover.runRoundForTest();
  CHECK(scene.history.tasks.at(1) == 1000);

  scene.owner = Life(5);
  scene.history.on_batch = [&] { scene.owner = Life(6); };
  mover.runRoundForTest();
  CHECK(scene.history.tasks.at(1) == 1000 - scene.settings.batch_rows);
  CHECK(scene.history.moved.empty());
}

TEST_CASE("A task that cannot be moved does not stop the others") {
  Scene scene;
  scene.history.tasks = {{1, 1}, {2, 1}, {3, 1}};
  scene.history.broken = {1};
  scene.history.busy = {2};
  const observability::LogCapture log;
  auto& mover = scene.make();
  CHECK(mover.runRoundForTest() == scene.settings.interval);
  CHECK(scene.history.moved == std::vector<std::int64_t>{3});
  // Each line names its task.
  const auto moved = log.records("task moved to history");
  const auto failed = log.records("task could not be moved to history, tried again later");
  REQUIRE(moved.size() == 1);
  REQUIRE(failed.size() == 2);
  for (const auto& line : {moved[0], failed[0], failed[1]}) {
    CHECK(line.value("task_key") == "key-" + line.value("task_id"));
    CHECK(line.value("type") == "example");
    CHECK(line.value("step") == "-2");
  }
}

TEST_CASE("A store that is away ends the round") {
  Scene scene;
  scene.history.tasks = {{1, 1}, {2, 1}};
  scene.history.broken = {1};
  scene.history.failure = ErrorCode::kStoreUnavailable;
  scene.make().runRoundForTest();
  CHECK(scene.history.moved.empty());
}

TEST_CASE("While many tasks wait the next round follows at once, unless they stay in the way") {
  Scene scene;
  scene.settings.round_tasks = 2;
  scene.history.tasks = {{1, 0}, {2, 0}, {3, 0}};
  auto& mover = scene.make();
  CHECK(mover.runRoundForTest() == runtime::Duration::zero());
  CHECK(mover.runRoundForTest() == scene.settings.interval);
  CHECK(scene.history.moved == std::vector<std::int64_t>{1, 2, 3});
}

TEST_CASE("Tasks that cannot be moved, however many, do not hide those behind them") {
  Scene scene;
  scene.settings.round_tasks = 2;
  scene.history.tasks = {{1, 0}, {2, 0}, {3, 0}, {4, 0}, {5, 0}};
  scene.history.busy = {1, 2, 3, 4};
  auto& mover = scene.make();
  CHECK(mover.runRoundForTest() == scene.settings.interval);
  CHECK(scene.history.moved == std::vector<std::int64_t>{5});
}

TEST_CASE("Stopping ends a move between two batches") {
  Scene scene;
  scene.history.tasks = {{1, 1000}};
  auto& mover = scene.make();
  scene.history.on_batch = [&] { mover.stop(); };
  mover.runRoundForTest();
  CHECK(scene.history.tasks.at(1) == 1000 - scene.settings.batch_rows);
}

TEST_CASE("The mover goes on with other ages and pauses when it is told") {
  Scene scene;
  auto& mover = scene.make();
  mover.runRoundForTest();
  CHECK(scene.history.asked_after == scene.settings.after);
  auto other = scene.settings;
  other.after = std::chrono::seconds(7);
  other.keep = std::chrono::hours(3);
  other.interval = std::chrono::seconds(2);
  mover.reconfigure(other);
  CHECK(mover.runRoundForTest() == other.interval);
  CHECK(scene.history.asked_after == other.after);
  CHECK(scene.history.asked_keep == other.keep);
}
