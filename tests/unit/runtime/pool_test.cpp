#include "disttask/runtime/pool.hpp"

#include "disttask/runtime/thread_group.hpp"

#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <atomic>
#include <set>
#include <stdexcept>
#include <string>

using namespace disttask;
using namespace disttask::runtime;

namespace {

// Jobs that stay until they are let go.
struct Held {
  test::TestSignal<int> begun;
  test::TestSignal<int> go;
  [[nodiscard]] Job job() {
    return [this] {
      begun.send(1);
      static_cast<void>(go.wait());
    };
  }
  void release(int n) {
    for (int i = 0; i < n; ++i) go.send(1);
  }
};

}  // namespace

TEST_CASE("A pool runs a job on a thread of its own", "[runtime][pool]") {
  test::TestSignal<std::size_t> ran;
  ThreadPool pool("p", 2, 0, {});
  REQUIRE(pool.run([&] { ran.send(pool.numBusy()); }));
  CHECK(ran.wait() == 1U);
  CHECK(test::eventually([&] { return pool.numBusy() == 0; }));
}

TEST_CASE("A pool without a free thread and without room refuses a job", "[runtime][pool]") {
  Held held;
  ThreadPool pool("busy", 2, 1, {});
  REQUIRE(pool.run(held.job()));
  REQUIRE(pool.run(held.job()));
  REQUIRE(held.begun.wait());
  REQUIRE(held.begun.wait());
  CHECK(pool.numBusy() == 2);
  REQUIRE(pool.run(held.job()));
  CHECK(held.begun.size() == 0);
  const auto refused = pool.run(held.job());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::kPrecondition);
  CHECK(refused.error().message() == "pool full: busy");
  held.release(1);
  CHECK(held.begun.wait());
  held.release(2);
}

TEST_CASE("A pool with no queue takes exactly as many jobs as it has threads", "[runtime][pool]") {
  Held held;
  ThreadPool pool("exact", 3, 0, {});
  for (int i = 0; i < 3; ++i) REQUIRE(pool.run(held.job()));
  REQUIRE_FALSE(pool.run(held.job()));
  for (int i = 0; i < 3; ++i) REQUIRE(held.begun.wait());
  held.release(3);
  REQUIRE(test::eventually([&] { return pool.numBusy() == 0; }));
  for (int i = 0; i < 3; ++i) REQUIRE(pool.run(held.job()));
  REQUIRE_FALSE(pool.run(held.job()));
  held.release(3);
}

TEST_CASE("A pool keeps its threads for the next jobs", "[runtime][pool]") {
  const auto before = ThreadGroup::numRunning();
  test::TestSignal<int> ran;
  ThreadPool pool("kept", 4, 0, {});
  for (int i = 0; i < 20; ++i) {
    REQUIRE(pool.run([&] { ran.send(1); }));
    REQUIRE(ran.wait());
    REQUIRE(test::eventually([&] { return pool.numBusy() == 0; }));
  }
  CHECK(ThreadGroup::numRunning() == before + 1);
}

TEST_CASE("A released pool has waited for its jobs and refuses new ones", "[runtime][pool]") {
  Held held;
  std::atomic<int> num_ended{0};
  ThreadPool pool("gone", 1, 1, {});
  REQUIRE(pool.run([&, job = held.job()]() mutable {
    job();
    ++num_ended;
  }));
  REQUIRE(held.begun.wait());
  REQUIRE(pool.run([&] { ++num_ended; }));
  test::TestSignal<int> released;
  ThreadGroup threads;
  threads.spawn("release", [&] {
    pool.releaseAndWait();
    released.send(num_ended);
  });
  REQUIRE(test::eventually([&] {
    const auto refused = pool.run([] {});
    return !refused && refused.error().message() == "pool closed: gone";
  }));
  CHECK_FALSE(released.poll());
  held.release(1);
  CHECK(released.wait() == 2);
  pool.releaseAndWait();
  CHECK_FALSE(pool.run([] {}));
}

TEST_CASE("An exception in a job is given to the handler and the thread lives on", "[runtime][pool]") {
  test::TestSignal<std::string> errors;
  test::TestSignal<int> ran;
  ThreadPool pool("throws", 1, 4, [&](const Error& error) { errors.send(error.message()); });
  REQUIRE(pool.run([] { throw std::runtime_error("boom"); }));
  REQUIRE(pool.run([] { throw 7; }));
  REQUIRE(pool.run([&] { ran.send(1); }));
  CHECK(errors.wait() == "boom");
  CHECK(errors.wait() == "an exception that is not a std::exception");
  CHECK(ran.wait());
}

TEST_CASE("Several threads drain a channel until it is closed", "[runtime][pool]") {
  Held held;
  JobChannel channel(100);
  std::atomic<int> num_ended{0};
  ThreadPool pool("drain", 3, 0, {});
  REQUIRE(pool.runWithConcurrency(channel, 3));
  for (int i = 0; i < 3; ++i) REQUIRE(channel.send(held.job()));
  for (int i = 0; i < 3; ++i) REQUIRE(held.begun.wait());  // three at once
  for (int i = 0; i < 50; ++i) REQUIRE(channel.send([&] { ++num_ended; }));
  channel.close();
  CHECK_FALSE(channel.send([&] { ++num_ended; }));
  held.release(3);
  pool.releaseAndWait();
  CHECK(num_ended == 50);
  CHECK_FALSE(channel.receive());
}

TEST_CASE("A channel is drained by fewer threads when fewer are free", "[runtime][pool]") {
  Held held;
  JobChannel channel(10);
  std::atomic<int> num_ended{0};
  ThreadPool pool("part", 2, 0, {});
  REQUIRE(pool.run(held.job()));
  REQUIRE(pool.runWithConcurrency(channel, 5));
  for (int i = 0; i < 10; ++i) REQUIRE(channel.send([&] { ++num_ended; }));
  channel.close();
  CHECK(test::eventually([&] { return num_ended == 10; }));
  held.release(1);
}

TEST_CASE("A channel is refused by a pool that is full or closed", "[runtime][pool]") {
  Held held;
  JobChannel channel(1);
  ThreadPool pool("full", 1, 0, {});
  REQUIRE(pool.run(held.job()));
  CHECK_FALSE(pool.runWithConcurrency(channel, 2));
  held.release(1);
  pool.releaseAndWait();
  CHECK_FALSE(pool.runWithConcurrency(channel, 2));
}

TEST_CASE("A job of a channel that throws does not end the draining", "[runtime][pool]") {
  test::TestSignal<std::string> errors;
  test::TestSignal<int> ran;
  JobChannel channel(10);
  ThreadPool pool("drain", 1, 0, [&](const Error& error) { errors.send(error.message()); });
  REQUIRE(pool.runWithConcurrency(channel, 1));
  REQUIRE(channel.send([] { throw std::runtime_error("boom"); }));
  REQUIRE(channel.send([&] { ran.send(1); }));
  channel.close();
  CHECK(errors.wait() == "boom");
  CHECK(ran.wait());
}

TEST_CASE("A full channel holds its sender until there is room or it is closed", "[runtime][pool]") {
  JobChannel channel(1);
  REQUIRE(channel.send([] {}));
  test::TestSignal<bool> sent;
  ThreadGroup threads;
  threads.spawn("sends", [&] { sent.send(channel.send([] {})); });
  CHECK_FALSE(sent.wait(std::chrono::milliseconds(5)));
  SECTION("room") {
    CHECK(channel.receive());
    CHECK(sent.wait() == true);
  }
  SECTION("closed") {
    channel.close();
    CHECK(sent.wait() == false);
  }
}

TEST_CASE("A pool survives many threads that give it jobs while it is released", "[runtime][pool][race]") {
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> num_taken{0};
    std::atomic<int> num_ended{0};
    ThreadPool pool("race", 4, 8, {});
    {
      ThreadGroup threads;
      for (int i = 0; i < 4; ++i) {
        threads.spawn("gives", [&] {
          for (int j = 0; j < 50; ++j) {
            if (pool.run([&] { ++num_ended; })) ++num_taken;
          }
        });
      }
      threads.spawn("releases", [&] { pool.releaseAndWait(); });
    }
    pool.releaseAndWait();
    REQUIRE(num_ended == num_taken);
  }
}

TEST_CASE("A pool may get more threads while it works", "[runtime][pool]") {
  Held held;
  ThreadPool pool("wider", 1, 0, {});
  REQUIRE(pool.run(held.job()));
  REQUIRE(held.begun.wait());
  CHECK_FALSE(pool.run(held.job()));
  pool.setMaxThreads(2);
  REQUIRE(pool.run(held.job()));
  REQUIRE(held.begun.wait());
  pool.setMaxThreads(1);
  CHECK_FALSE(pool.run(held.job()));
  CHECK(pool.numBusy() == 2);
  held.release(2);
}
