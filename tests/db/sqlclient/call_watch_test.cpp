// Calls to a server that went mute, and to one that takes its time, end when nobody waits for them any more.
#include "disttask/sqlclient/call_watch.hpp"

#include "disttask/sqlclient/connection.hpp"

#include "support/tcp_gate.hpp"
#include "support/test_store.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <atomic>

using namespace disttask;
using namespace std::chrono_literals;
using runtime::ThreadGroup;
using sqlclient::CallWatch;
using sqlclient::Connection;

namespace {

/// A gate before the test server, and how to connect through it: no limit of the connector's own would end a call.
struct Gated {
  Gated() : settings(test::testConnectSettings()) {
    auto& endpoint = settings.endpoints.front();
    endpoint.host = "127.0.0.1";
    endpoint.port = gate.port();
    endpoint.socket.clear();
    settings.read_timeout = settings.write_timeout = settings.connect_timeout = 300s;
  }
  sqlclient::Endpoint target = test::testConnectSettings().endpoints.front();
  test::TcpGate gate{target.socket, target.host, target.port};
  sqlclient::ConnectSettings settings;
};

/// Runs `body` in a section on a thread of its own and tells how it ended: "done", or its reaction.
class WatchedThread {
 public:
  WatchedThread(CallWatch& watch, runtime::Duration grace, std::function<void()> body) {
    threads_.spawn("watched", [this, &watch, grace, body = std::move(body)] {
      const auto section = watch.open([this] { return unwanted.load(); }, grace);
      began.send(true);
      try {
        body();
        ended.send("done");
      } catch (const Exception& e) {
        ended.send(std::string(toString(e.error().reaction())));
      }
    });
  }
  std::atomic<bool> unwanted{false};
  test::TestSignal<bool> began;
  test::TestSignal<std::string> ended;

 private:
  ThreadGroup threads_;
};

}  // namespace

TEST_CASE("A statement to a server that went mute, one way or the other, ends when its caller is cancelled") {
  Gated gated;
  CallWatch watch("test-watch");
  const auto connection = Connection::open(gated.settings);
  const bool to_server = GENERATE(true, false);
  gated.gate.mute(to_server, !to_server);
  WatchedThread thread(watch, 0ns, [&] { connection->execute("do 1"); });
  REQUIRE(thread.began.wait());
  CHECK_FALSE(thread.ended.wait(100ms));
  thread.unwanted = true;
  CHECK(thread.ended.wait(5s) == "reconnect");
  CHECK(connection->isBroken());
}

TEST_CASE("Connecting to a mute server ends when its caller is cancelled") {
  Gated gated;
  CallWatch watch("test-watch");
  gated.gate.mute(false, true);
  WatchedThread thread(watch, 0ns, [&] { static_cast<void>(Connection::open(gated.settings)); });
  REQUIRE(thread.began.wait());
  CHECK_FALSE(thread.ended.wait(100ms));
  thread.unwanted = true;
  CHECK(thread.ended.wait(5s) == "back_off");
}

TEST_CASE("A long statement ends when its caller is cancelled, and each that follows in its section") {
  CallWatch watch("test-watch");
  auto settings = test::testConnectSettings();
  settings.read_timeout = 300s;
  const auto first = Connection::open(settings);
  const auto second = Connection::open(settings);
  WatchedThread thread(watch, 0ns, [&] {
    try {
      first->execute("do sleep(60)");
    } catch (const Exception&) {
      second->execute("do sleep(60)");
    }
  });
  REQUIRE(thread.began.wait());
  thread.unwanted = true;
  CHECK(thread.ended.wait(5s) == "reconnect");
  CHECK(first->isBroken());
  CHECK(second->isBroken());
}

TEST_CASE("A call that is wanted, or that ends within its grace, is left alone, and so is that of another thread") {
  CallWatch watch("test-watch");
  const auto wanted = Connection::open(test::testConnectSettings());
  const auto graceful = Connection::open(test::testConnectSettings());
  const auto other = Connection::open(test::testConnectSettings());
  WatchedThread first(watch, 0ns, [&] { wanted->execute("do sleep(0.3)"); });
  WatchedThread second(watch, 60s, [&] { graceful->execute("do sleep(0.3)"); });
  WatchedThread third(watch, 0ns, [] {});
  second.unwanted = third.unwanted = true;
  CHECK_NOTHROW(other->execute("do sleep(0.3)"));
  CHECK(first.ended.wait() == "done");
  CHECK(second.ended.wait() == "done");
  CHECK(third.ended.wait() == "done");
  for (const auto* each : {&wanted, &graceful, &other}) CHECK_FALSE((*each)->isBroken());
}
