#include "disttask/base/error.hpp"
#include "disttask/runtime/timers.hpp"

#include "support/wait.hpp"
#include <catch2/catch.hpp>
#include <sys/types.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

using namespace disttask;
using namespace disttask::runtime;
using namespace std::chrono_literals;

TEST_CASE("Timers fire in order of their times, those of one time in order of calls", "[runtime][reactor]") {
  test::TestSignal<std::string> fired;
  Reactor reactor;
  const auto note = [&](const std::string& name) { return [&fired, name] { fired.send(name); }; };
  reactor.after(30ms, note("late"));
  reactor.after(0ms, note("first"));
  reactor.after(10ms, note("middle"));
  reactor.after(-5ms, note("second"));
  reactor.start();
  std::vector<std::string> order;
  for (int i = 0; i < 4; ++i) order.push_back(fired.wait().value_or("nothing"));
  CHECK(order == std::vector<std::string>{"first", "second", "middle", "late"});
}

TEST_CASE("A timer does not fire before its time", "[runtime][reactor]") {
  test::TestSignal<TimePoint> fired;
  Reactor reactor;
  reactor.start();
  const auto began = BootClock::now();
  reactor.after(20ms, [&] { fired.send(BootClock::now()); });
  const auto at = fired.wait();
  REQUIRE(at);
  CHECK(*at - began >= 20ms);
}

TEST_CASE("An earlier timer that comes later still fires first", "[runtime][reactor]") {
  test::TestSignal<int> fired;
  Reactor reactor;
  reactor.start();
  reactor.after(1h, [&] { fired.send(2); });
  reactor.after(1ms, [&] { fired.send(1); });
  CHECK(fired.wait() == 1);
  CHECK(fired.size() == 0);
}

TEST_CASE("A cancelled timer does not fire", "[runtime][reactor]") {
  test::TestSignal<int> fired;
  Reactor reactor;
  const auto id = reactor.after(1ms, [&] { fired.send(1); });
  CHECK(reactor.cancel(id));
  CHECK_FALSE(reactor.cancel(id));
  CHECK_FALSE(reactor.cancel(12345));
  reactor.start();
  const auto last = reactor.after(20ms, [&] { fired.send(2); });
  CHECK(fired.wait() == 2);
  CHECK_FALSE(reactor.cancel(last));
}

TEST_CASE("A handler may add and cancel timers", "[runtime][reactor]") {
  test::TestSignal<int> fired;
  Reactor reactor;
  const auto victim = reactor.after(1ms, [&] { fired.send(-1); });
  reactor.after(0ms, [&] {
    reactor.cancel(victim);
    reactor.after(2ms, [&] { fired.send(1); });
  });
  reactor.start();
  CHECK(fired.wait() == 1);
  CHECK(fired.size() == 0);
}

TEST_CASE("Timers that wait when the loop stops are dropped and can still be cancelled", "[runtime][reactor]") {
  test::TestSignal<int> fired;
  Reactor reactor;
  reactor.start();
  const auto id = reactor.after(5ms, [&] { fired.send(1); });
  reactor.stop();
  reactor.stop();
  if (reactor.cancel(id)) CHECK(fired.size() == 0);
  reactor.after(0ms, [&] { fired.send(2); });
  CHECK(fired.wait(10ms).value_or(1) != 2);
}

TEST_CASE("A loop that was never started stops", "[runtime][reactor]") {
  Reactor reactor;
  reactor.post([] {});
  reactor.stop();
}

TEST_CASE("A posted handler runs on the loop's thread", "[runtime][reactor]") {
  test::TestSignal<pid_t> ran;
  Reactor reactor;
  reactor.start();
  reactor.post([&] { ran.send(::gettid()); });
  reactor.after(0ms, [&] { ran.send(::gettid()); });
  const auto posted = ran.wait();
  REQUIRE(posted);
  CHECK(*posted != ::gettid());
  CHECK(ran.wait() == posted);
}

TEST_CASE("A signal reaches its handler each time", "[runtime][reactor]") {
  test::TestSignal<int> caught;
  Reactor reactor;
  reactor.onSignals({SIGUSR1, SIGUSR2}, [&](int signal) { caught.send(signal); });
  reactor.start();
  ::kill(::getpid(), SIGUSR1);
  CHECK(caught.wait() == SIGUSR1);
  ::kill(::getpid(), SIGUSR2);
  CHECK(caught.wait() == SIGUSR2);
  ::kill(::getpid(), SIGUSR1);
  CHECK(caught.wait() == SIGUSR1);
}

TEST_CASE("Datagrams reach the handler whole, and longer ones not at all", "[runtime][reactor]") {
  test::TestSignal<std::string> received;
  Reactor reactor;
  reactor.start();
  const auto port =
      reactor.listenUdp("127.0.0.1", 0, [&](std::string_view bytes) { received.send(std::string(bytes)); });
  REQUIRE(port != 0);
  const auto address = "127.0.0.1:" + std::to_string(port);
  sendDatagram(address, "nudge 1");
  CHECK(received.wait() == "nudge 1");
  sendDatagram(address, std::string(513, 'x'));
  sendDatagram("localhost:" + std::to_string(port), std::string(512, 'y'));
  CHECK(received.wait() == std::string(512, 'y'));
}

TEST_CASE("Datagrams go over IPv6 where the host has it", "[runtime][reactor]") {
  test::TestSignal<std::string> received;
  Reactor reactor;
  reactor.start();
  std::uint16_t port = 0;
  try {
    port = reactor.listenUdp("::1", 0, [&](std::string_view bytes) { received.send(std::string(bytes)); });
  } catch (const Exception&) {
    WARN("no IPv6 on this host");
    return;
  }
  sendDatagram("[::1]:" + std::to_string(port), "six");
  CHECK(received.wait() == "six");
}

TEST_CASE("A listener that cannot bind says where and why", "[runtime][reactor]") {
  Reactor reactor;
  const auto port = reactor.listenUdp("127.0.0.1", 0, [](std::string_view) {});
  try {
    reactor.listenUdp("127.0.0.1", port, [](std::string_view) {});
    FAIL("it did not throw");
  } catch (const Exception& e) {
    CHECK(e.error().code() == ErrorCode::kUnsupported);
    CHECK_THAT(
        e.error().message(),
        Catch::StartsWith("cannot listen on 127.0.0.1:" + std::to_string(port)) && Catch::Contains("in use")
    );
  }
  CHECK_THROWS_AS(reactor.listenUdp("no.such.host", 0, [](std::string_view) {}), Exception);
}

TEST_CASE("A datagram to an address that is none is dropped", "[runtime][reactor]") {
  for (const auto* address :
       {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:99999", "name.invalid:1", "::1:"}) {
    sendDatagram(address, "x");
  }
  SUCCEED();
}
