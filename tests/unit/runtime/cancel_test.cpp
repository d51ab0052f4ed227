#include "disttask/runtime/cancel.hpp"

#include "disttask/base/error.hpp"
#include "disttask/runtime/thread_group.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <latch>
#include <memory>
#include <set>
#include <string>
#include <vector>

using namespace disttask;
using namespace disttask::runtime;

TEST_CASE("A token is not cancelled until its source is", "[runtime][cancel]") {
  CancelSource source;
  const auto token = source.token();
  CHECK_FALSE(token.cancelled());
  CHECK(token.cause() == CancelCause::kNone);
  CHECK_NOTHROW(token.throwIfCancelled());
  CHECK(source.cancel(CancelCause::kPreempted));
  CHECK(token.cancelled());
  CHECK(token.cause() == CancelCause::kPreempted);
  CHECK(token.stopToken().stop_requested());
}

TEST_CASE("The first cause wins", "[runtime][cancel]") {
  CancelSource source;
  CHECK(source.cancel(CancelCause::kTaskPaused));
  CHECK_FALSE(source.cancel(CancelCause::kShutdown));
  CHECK(source.token().cause() == CancelCause::kTaskPaused);
}

TEST_CASE("No cause is no cancel", "[runtime][cancel]") {
  CancelSource source;
  CHECK_FALSE(source.cancel(CancelCause::kNone));
  CHECK_FALSE(source.token().cancelled());
}

TEST_CASE("A cancelled token throws with its cause as text", "[runtime][cancel]") {
  CancelSource source;
  source.cancel(CancelCause::kLeaseLost);
  try {
    source.token().throwIfCancelled();
    FAIL("it did not throw");
  } catch (const Exception& e) {
    CHECK(e.error().code() == ErrorCode::kCancelled);
    CHECK(e.error().reaction() == Reaction::kCancelled);
    CHECK(e.error().message() == "cancelled: lease lost");
  }
}

TEST_CASE("Each cause has a text of its own and keeps its number", "[runtime][cancel]") {
  std::set<std::string_view> texts;
  for (int i = 0; i <= static_cast<int>(CancelCause::kClosed); ++i) texts.insert(toString(static_cast<CancelCause>(i)));
  CHECK(texts.size() == 10);
  CHECK_FALSE(texts.contains("unknown"));
  CHECK(toString(CancelCause::kCancelSubtask) == "cancel subtasks");
  CHECK(static_cast<int>(CancelCause::kShutdown) == 1);
  CHECK(static_cast<int>(CancelCause::kCancelSubtask) == 4);
  CHECK(static_cast<int>(CancelCause::kLeaseLost) == 7);
}

TEST_CASE("A token that was made from nothing is never cancelled", "[runtime][cancel]") {
  const CancelToken token;
  CHECK_FALSE(token.cancelled());
  CHECK_FALSE(token.stopToken().stop_possible());
  int calls = 0;
  const CancelCallback callback(token, [&] { ++calls; });
  const CancelSource child(token);
  CHECK_FALSE(child.token().cancelled());
  CHECK(calls == 0);
}

TEST_CASE("A cancel goes down the tree with its cause and never up", "[runtime][cancel]") {
  CancelSource manager;
  CancelSource task(manager.token());
  CancelSource step(task.token());
  CancelSource other(manager.token());
  CHECK(task.cancel(CancelCause::kPreempted));
  CHECK(step.token().cause() == CancelCause::kPreempted);
  CHECK_FALSE(manager.token().cancelled());
  CHECK_FALSE(other.token().cancelled());
  manager.cancel(CancelCause::kShutdown);
  CHECK(other.token().cause() == CancelCause::kShutdown);
  CHECK(step.token().cause() == CancelCause::kPreempted);
}

TEST_CASE("A child of a cancelled parent is born cancelled", "[runtime][cancel]") {
  CancelSource parent;
  parent.cancel(CancelCause::kClosed);
  const CancelSource child(parent.token());
  CHECK(child.token().cause() == CancelCause::kClosed);
}

TEST_CASE("A child and its tokens outlive the parent", "[runtime][cancel]") {
  auto parent = std::make_unique<CancelSource>();
  CancelSource child(parent->token());
  parent.reset();
  CHECK_FALSE(child.token().cancelled());
  CHECK(child.cancel(CancelCause::kDeadline));
}

TEST_CASE("A callback runs once, before cancel returns, and at once if it comes late", "[runtime][cancel]") {
  CancelSource source;
  int calls = 0;
  auto seen = CancelCause::kNone;
  const auto token = source.token();
  const CancelCallback callback(token, [&] {
    ++calls;
    seen = token.cause();
  });
  {
    const CancelCallback gone(token, [&] { calls += 100; });
  }
  CHECK(calls == 0);
  source.cancel(CancelCause::kTaskGone);
  CHECK(calls == 1);
  CHECK(seen == CancelCause::kTaskGone);
  source.cancel(CancelCause::kShutdown);
  CHECK(calls == 1);
  const CancelCallback late(token, [&] { ++calls; });
  CHECK(calls == 2);
}

TEST_CASE("Racing cancels agree on one cause in the whole tree", "[runtime][cancel][race]") {
  for (int round = 0; round < 500; ++round) {
    CancelSource root;
    CancelSource left(root.token());
    std::atomic<int> num_winners{0};
    std::atomic<int> num_calls{0};
    std::atomic<int> num_odd{0};
    std::latch go(4);
    {
      ThreadGroup threads;
      for (const auto cause : {CancelCause::kShutdown, CancelCause::kPreempted}) {
        threads.spawn("cancel", [&, cause] {
          go.arrive_and_wait();
          if (root.cancel(cause)) ++num_winners;
        });
      }
      for (int i = 0; i < 2; ++i) {  // children, callbacks and looks while it happens
        threads.spawn("child", [&] {
          go.arrive_and_wait();
          CancelSource child(left.token());
          const CancelCallback callback(child.token(), [&] { ++num_calls; });
          const auto cause = child.token().cause();
          if (cause != CancelCause::kNone && cause != root.token().cause()) ++num_odd;
          if (child.token().stopToken().stop_requested() && !child.token().cancelled()) ++num_odd;
        });
      }
    }
    REQUIRE(num_winners == 1);
    REQUIRE(num_odd == 0);
    REQUIRE(num_calls <= 2);
    REQUIRE(left.token().cause() == root.token().cause());
  }
}

TEST_CASE("A child may die while its parent is cancelled", "[runtime][cancel][race]") {
  for (int round = 0; round < 500; ++round) {
    auto parent = std::make_unique<CancelSource>();
    auto child = std::make_unique<CancelSource>(parent->token());
    const auto token = child->token();
    std::latch go(3);
    {
      ThreadGroup threads;
      threads.spawn("cancel", [&] {
        go.arrive_and_wait();
        parent->cancel(CancelCause::kShutdown);
      });
      threads.spawn("child", [&] {
        go.arrive_and_wait();
        child.reset();
      });
      threads.spawn("itself", [&, source = std::make_unique<CancelSource>(token)] {
        go.arrive_and_wait();
        source->cancel(CancelCause::kClosed);
      });
    }
    const auto cause = token.cause();
    REQUIRE((cause == CancelCause::kNone || cause == CancelCause::kShutdown));
  }
}
