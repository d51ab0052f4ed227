// The one poll loop of a node (design rules 2, 17, 21).
#include "disttask/executor/node_poller.hpp"

#include "executor_fixture.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using executor::NodePoller;

namespace {

/// A store that answers polls as the test wants.
class FakePolls final : public storage::PollTable {
 public:
  storage::NodePoll poll(const runtime::Call& call, const proto::ExecId& exec_id) override {
    ++num_calls;
    if (blocks) runtime::Wakeup(runtime::systemClock()).waitFor(call.token, 60s);
    call.check("poll");
    if (away) throw Exception(ErrorCode::kStoreUnavailable, "the store is gone");
    storage::NodePoll seen;
    seen.owner.exec_id = exec_id;
    seen.wanted = proto::WantedState::kCordoned;
    return seen;
  }
  std::atomic<int> num_calls{0};
  std::atomic<bool> away{false};
  std::atomic<bool> blocks{false};
};

struct Polling {
  World world;  // for its clock and timers
  FakePolls table;
  runtime::ThreadPool pool{"ctl", 1, 4, {}};
  executor::PollSettings settings{kNode};
  NodePoller poller{settings, table, world.clock, world.timers, pool};
  std::atomic<bool> work{false};
  std::atomic<int> told{0};

  Polling() {
    poller.subscribe([this](const storage::NodePoll& seen) {
      CHECK(seen.owner.exec_id == kNode);
      CHECK(seen.ended >= seen.began);
      ++told;
      return work.load();
    });
  }
  /// Waits until so many rounds have ended and the next one has its timer.
  bool reach(std::uint64_t polls) {
    return eventually([&] { return poller.numPolls() == polls && world.timers.untilNext(); });
  }
  /// Returns the pause after the round that has just ended, and lets it pass.
  runtime::Duration passPause() {
    const auto polls = poller.numPolls();
    const auto pause = *world.timers.untilNext();
    world.clock.advance(pause);
    REQUIRE(reach(polls + 1));
    return pause;
  }
  void start() {
    poller.start();
    world.clock.advance(0ms);
    REQUIRE(reach(1));
  }
};

}  // namespace

TEST_CASE(
    "Polls back off from 300 ms to two seconds when idle, and come fast again at once with work", "[executor][poll]"
) {
  Polling polling;
  polling.start();
  for (const auto pause : {300ms, 600ms, 1200ms, 2000ms, 2000ms}) CHECK(polling.passPause() == pause);
  polling.work = true;
  CHECK(polling.passPause() == 2000ms);  // was set before there was work
  CHECK(polling.passPause() == 300ms);
  CHECK(polling.passPause() == 300ms);
  polling.work = false;
  for (const auto pause : {300ms, 600ms, 1200ms, 2000ms}) CHECK(polling.passPause() == pause);
  CHECK(polling.table.num_calls == static_cast<int>(polling.poller.numPolls()));
  CHECK(polling.told == polling.table.num_calls);
  CHECK(polling.poller.wanted() == proto::WantedState::kCordoned);
}

TEST_CASE("A nudge cuts the pause and makes the next ones short", "[executor][poll]") {
  Polling polling;
  polling.start();
  for (int i = 0; i < 5; ++i) polling.passPause();
  polling.poller.nudge();
  REQUIRE(polling.reach(7));  // the clock stood still
  polling.world.clock.advance(20ms);
  CHECK(polling.passPause() == 280ms);
  CHECK(polling.passPause() == 600ms);
}

TEST_CASE("A look polls at once and leaves the pause between polls as it is", "[executor][poll]") {
  Polling polling;
  polling.start();
  for (int i = 0; i < 5; ++i) polling.passPause();
  polling.poller.look();
  REQUIRE(polling.reach(7));  // the clock stood still
  polling.world.clock.advance(20ms);
  CHECK(polling.passPause() == 1980ms);
  CHECK(polling.passPause() == 2000ms);
}

TEST_CASE("Many nudges make one early poll per 20 ms", "[executor][poll]") {
  Polling polling;
  polling.start();
  for (int i = 0; i < 5; ++i) polling.passPause();
  for (int i = 0; i < 50; ++i) polling.poller.nudge();
  REQUIRE(polling.reach(7));
  for (int i = 0; i < 50; ++i) polling.poller.nudge();
  polling.world.clock.advance(19ms);
  CHECK(polling.table.num_calls == 7);
  polling.world.clock.advance(1ms);
  REQUIRE(polling.reach(8));
  polling.world.clock.advance(20ms);
  CHECK(polling.table.num_calls == 8);
}

TEST_CASE("While the store is away polls back off, and nobody is told anything", "[executor][poll]") {
  Polling polling;
  polling.table.away = true;
  polling.work = true;
  polling.start();
  for (int i = 0; i < 4; ++i) polling.passPause();
  CHECK(polling.passPause() == 2000ms);
  CHECK(polling.told == 0);
  CHECK(polling.world.log.records("poll of this node failed").size() >= 1);
  REQUIRE(polling.poller.lastError());
  CHECK(polling.poller.lastError()->code() == ErrorCode::kStoreUnavailable);
  polling.table.away = false;
  CHECK(polling.passPause() == 2000ms);
  CHECK_FALSE(polling.poller.lastError());
  CHECK(polling.told == 1);
  CHECK(polling.passPause() == 300ms);
}

TEST_CASE("One part that fails does not keep a poll from the others", "[executor][poll]") {
  Polling polling;
  std::atomic<int> last{0};
  polling.poller.subscribe([](const storage::NodePoll&) -> bool { throw Exception(ErrorCode::kInternal, "broken"); });
  polling.poller.subscribe([&](const storage::NodePoll&) {
    ++last;
    return false;
  });
  polling.start();
  CHECK(polling.passPause() == 300ms);
  CHECK(polling.passPause() == 300ms);  // tried again soon
  CHECK(last == 3);
}

TEST_CASE("The progress of polls stands still only while the loop does", "[executor][poll]") {
  Polling polling;
  std::atomic<bool> stuck{true};
  polling.poller.subscribe([&](const storage::NodePoll&) {
    while (stuck) runtime::Wakeup(runtime::systemClock()).waitFor({}, 1ms);
    return false;
  });
  polling.poller.start();
  polling.world.clock.advance(0ms);
  REQUIRE(eventually([&] { return polling.told == 1; }));
  REQUIRE(eventually([&] { return polling.poller.progress() == 2; }));  // the answer, and the part before
  polling.world.clock.advance(10s);
  CHECK(polling.poller.progress() == 2);
  stuck = false;
  REQUIRE(polling.reach(1));
  CHECK(polling.poller.progress() == 3);
  polling.table.away = true;
  polling.passPause();
  CHECK(polling.poller.progress() == 4);  // a failed poll moves too
}

TEST_CASE("The progress of polls moves in a long pause, too", "[executor][poll]") {
  Polling polling;
  polling.poller.setIntervals(40s, 40s);
  polling.poller.start();
  polling.world.clock.advance(0ms);
  REQUIRE(eventually([&] { return polling.poller.numPolls() == 1; }));
  auto before = polling.poller.progress();
  for (int i = 0; i < 7; ++i) {
    polling.world.clock.advance(5s);
    CHECK(polling.poller.progress() > before);
    before = polling.poller.progress();
  }
  CHECK(polling.poller.numPolls() == 1);
}

TEST_CASE("A stop does not wait for the store", "[executor][poll]") {
  Polling polling;
  polling.table.blocks = true;
  polling.poller.start();
  polling.world.clock.advance(0ms);
  REQUIRE(eventually([&] { return polling.table.num_calls == 1; }));
  polling.poller.stop();
  polling.poller.nudge();
  polling.world.clock.advance(10s);
  CHECK(polling.table.num_calls == 1);
  CHECK(polling.told == 0);
}

TEST_CASE("Other intervals hold from the next pause on, which begins at once", "[executor][poll]") {
  Polling polling;
  polling.start();
  for (int i = 0; i < 5; ++i) polling.passPause();
  polling.poller.setIntervals(40ms, 100ms);
  REQUIRE(polling.reach(7));  // the clock stood still
  polling.world.clock.advance(20ms);
  for (const auto pause : {20ms, 80ms, 100ms, 100ms}) CHECK(polling.passPause() == pause);
  polling.work = true;
  polling.passPause();
  CHECK(polling.passPause() == 40ms);
}
