#include "disttask/runtime/thread_group.hpp"

#include "support/wait.hpp"
#include <catch2/catch.hpp>
#include <pthread.h>

#include <array>
#include <atomic>
#include <stdexcept>

using namespace disttask;
using namespace disttask::runtime;

TEST_CASE("A thread group joins its threads, those that they spawned too", "[runtime][thread_group]") {
  std::atomic<int> num_ended{0};
  {
    ThreadGroup threads;
    threads.spawn("outer", [&] {
      threads.spawn("inner", [&] { ++num_ended; });
      ++num_ended;
    });
  }
  CHECK(num_ended == 2);
}

TEST_CASE("A thread carries its name, cut to 15 bytes", "[runtime][thread_group]") {
  test::TestSignal<std::string> names;
  ThreadGroup threads;
  threads.spawn("a name of twenty bytes", [&] {
    std::array<char, 32> name{};
    ::pthread_getname_np(::pthread_self(), name.data(), name.size());
    names.send(name.data());
  });
  CHECK(names.wait() == "a name of twent");
}

TEST_CASE("Running threads are counted and ended ones can be reaped", "[runtime][thread_group]") {
  const auto before = ThreadGroup::numRunning();
  test::TestSignal<int> go;
  ThreadGroup threads;
  threads.spawn("waits", [&] { static_cast<void>(go.wait()); });
  threads.spawn("ends", [] {});
  CHECK(test::eventually([&] { return threads.reap() == 1; }));
  CHECK(ThreadGroup::numRunning() == before + 1);
  go.send(1);
  threads.join();
  CHECK(ThreadGroup::numRunning() == before);
  CHECK(threads.reap() == 0);
}

TEST_CASE("What a thread captured is freed when it ends", "[runtime][thread_group]") {
  const auto shared = std::make_shared<int>(1);
  ThreadGroup threads;
  threads.spawn("captures", [shared] {});
  threads.join();
  CHECK(shared.use_count() == 1);
}

TEST_CASE("An exception that leaves a thread reaches the failure handler", "[runtime][thread_group]") {
  test::TestSignal<std::string> failures;
  ThreadGroup::setFailureHandler([&](const std::string& name, const Error& error) {
    failures.send(name + ": " + error.message());
  });
  ThreadGroup threads;
  threads.spawn("fails", [] { throw std::runtime_error("boom"); });
  CHECK(failures.wait() == "fails: boom");
  threads.join();
}

TEST_CASE("Two threads may join a group at once", "[runtime][thread_group]") {
  test::TestSignal<int> go;
  std::atomic<bool> ended{false};
  test::TestSignal<bool> seen;
  ThreadGroup threads;
  threads.spawn("work", [&] {
    static_cast<void>(go.wait());
    ended = true;
  });
  ThreadGroup joiners;
  for (int i = 0; i < 2; ++i) {
    joiners.spawn("joins", [&] {
      threads.join();
      seen.send(ended);
    });
  }
  go.send(1);
  CHECK(seen.wait() == true);
  CHECK(seen.wait() == true);
}
