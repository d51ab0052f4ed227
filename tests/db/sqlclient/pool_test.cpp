#include "disttask/sqlclient/pool.hpp"

#include "disttask/runtime/thread_group.hpp"

#include "support/fake_clock.hpp"
#include "support/test_store.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <functional>

using namespace disttask;
using runtime::Call;
using sqlclient::ConnectionPool;
using sqlclient::IdleCheck;
using test::TestStore;

namespace {

Error errorOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Exception& e) {
    return e.error();
  }
  FAIL("nothing was thrown");
  return {ErrorCode::kInternal, ""};
}

void use(sqlclient::Connection& connection) {
  connection.queryDynamic("test.use", "select 1", {});
}

}  // namespace

TEST_CASE("ConnectionPool hands a connection out again") {
  ConnectionPool pool(test::testConnectSettings(), {}, runtime::systemClock());
  const auto id = pool.acquire({})->connectionId();
  CHECK(pool.acquire({})->connectionId() == id);
  CHECK(pool.numOpen() == 1);
  pool.closeIdle();
  CHECK(pool.numOpen() == 0);
  CHECK(pool.acquire({})->connectionId() != id);
}

TEST_CASE("ConnectionPool never hands out a broken connection") {
  TestStore store;
  ConnectionPool pool(test::testConnectSettings(), {1, std::chrono::seconds(30)}, runtime::systemClock());
  std::int64_t id = 0;
  {
    const auto lease = pool.acquire({});
    id = lease->connectionId();
    store.execute("kill " + std::to_string(id));
    CHECK(errorOf([&] { use(*lease); }).reaction() == Reaction::kReconnect);
  }
  CHECK(pool.numOpen() == 0);
  const auto lease = pool.acquire({});
  CHECK(lease->connectionId() != id);
  CHECK_NOTHROW(use(*lease));
}

TEST_CASE("ConnectionPool asks a connection that stood idle before it hands it out") {
  TestStore store;
  test::FakeClock clock;
  ConnectionPool pool(test::testConnectSettings(), {1, std::chrono::seconds(30)}, clock);
  const auto id = pool.acquire({})->connectionId();
  store.execute("kill " + std::to_string(id));
  clock.advance(std::chrono::seconds(2));
  const auto lease = pool.acquire({});
  CHECK(lease->connectionId() != id);
  CHECK_NOTHROW(use(*lease));
}

TEST_CASE("ConnectionPool asks all that lay idle when one broke, also for a borrower that trusts them") {
  TestStore store;
  test::FakeClock clock;
  ConnectionPool pool(test::testConnectSettings(), {2, std::chrono::seconds(30)}, clock);
  const auto trusting = [&] { return pool.acquire({}, IdleCheck::kTrust); };
  std::int64_t first = 0;
  std::int64_t last = 0;
  {
    const auto early = trusting();
    const auto late = trusting();
    first = early->connectionId();
    last = late->connectionId();
  }
  for (const auto id : {first, last}) store.execute("kill " + std::to_string(id));
  clock.advance(std::chrono::seconds(2));
  CHECK(errorOf([&] { use(*trusting()); }).reaction() == Reaction::kReconnect);
  const auto lease = trusting();
  CHECK(lease->connectionId() != first);
  CHECK(lease->connectionId() != last);
  CHECK_NOTHROW(use(*lease));
}

TEST_CASE("ConnectionPool leaves a server that refuses writes as read-only, and not at each of them") {
  TestStore store(TestStore::Schema::kEmpty);
  if (store.isTiDb()) return;  // it has no triggers
  store.execute("create table t (id int primary key)");
  store.execute(
      "create trigger read_only before insert on t for each row"
      " signal sqlstate 'HY000' set mysql_errno = 1290, message_text = 'running with --read-only'"
  );
  auto settings = test::testConnectSettings();
  settings.schema = store.schema();
  test::FakeClock clock;
  ConnectionPool pool(settings, {2, std::chrono::seconds(30)}, clock);
  const auto idOfRefused = [&] {
    const auto lease = pool.acquire({});
    CHECK(errorOf([&] { lease->execute("insert into t values (1)"); }).code() == ErrorCode::kStoreReadOnly);
    return lease->connectionId();
  };
  const auto old = pool.acquire({})->connectionId();
  clock.advance(std::chrono::seconds(10));
  CHECK(idOfRefused() == old);
  const auto second = idOfRefused();
  CHECK(second != old);
  CHECK(idOfRefused() == second);
  CHECK(pool.numOpen() == 1);
  // As it lies there, it grows too old to be handed out.
  clock.advance(std::chrono::seconds(5));
  CHECK(idOfRefused() != second);
  CHECK(pool.numOpen() == 1);
}

TEST_CASE("ConnectionPool closes connections that stood idle for too long") {
  test::FakeClock clock;
  ConnectionPool pool(test::testConnectSettings(), {4, std::chrono::seconds(30)}, clock);
  std::int64_t id = 0;
  {
    const auto first = pool.acquire({});
    const auto second = pool.acquire({});
    id = first->connectionId();
    CHECK(pool.numOpen() == 2);
  }
  clock.advance(std::chrono::seconds(31));
  const auto lease = pool.acquire({});
  CHECK(lease->connectionId() != id);
  CHECK(pool.numOpen() == 1);
}

TEST_CASE("ConnectionPool is bounded: whoever comes too many waits for a return, the deadline or a cancel") {
  auto& clock = runtime::systemClock();
  ConnectionPool pool(test::testConnectSettings(), {1, std::chrono::seconds(30)}, clock);
  auto lease = std::make_optional(pool.acquire({}));
  const auto id = (*lease)->connectionId();

  Call call;
  call.deadline = runtime::Deadline(clock, std::chrono::milliseconds(50));
  CHECK(errorOf([&] { pool.acquire(call); }).code() == ErrorCode::kTimedOut);
  CHECK(pool.numOpen() == 1);

  test::TestSignal<std::string> ended;
  runtime::CancelSource cancel;
  runtime::ThreadGroup threads;
  const auto wait_for_one = [&](const Call& how) {
    threads.spawn("waiter", [&, how] {
      try {
        ended.send(std::to_string(pool.acquire(how)->connectionId()));
      } catch (const Exception& e) {
        ended.send(std::string(toString(e.error().code())));
      }
    });
  };
  wait_for_one({cancel.token(), {}});
  CHECK_FALSE(ended.wait(std::chrono::milliseconds(50)));
  cancel.cancel(runtime::CancelCause::kShutdown);
  CHECK(ended.wait().value_or("") == "cancelled");

  wait_for_one({});
  CHECK_FALSE(ended.wait(std::chrono::milliseconds(50)));
  lease.reset();
  CHECK(ended.wait().value_or("") == std::to_string(id));
  threads.join();
}

TEST_CASE("ConnectionPool lets the next one try after a connect that failed") {
  auto settings = test::testConnectSettings();
  settings.endpoints.front() = {};
  settings.endpoints.front().socket = "/nonexistent/s.sock";
  ConnectionPool pool(settings, {1, std::chrono::seconds(30)}, runtime::systemClock());
  for (int i = 0; i < 3; ++i) {
    CHECK(errorOf([&] { pool.acquire({}); }).code() == ErrorCode::kStoreUnavailable);
    CHECK(pool.numOpen() == 0);
  }
}

TEST_CASE("ConnectionPool ends a transaction that its borrower left open") {
  TestStore store(TestStore::Schema::kEmpty);
  store.execute("create table t (id int primary key)");
  auto settings = test::testConnectSettings();
  settings.schema = store.schema();
  ConnectionPool pool(settings, {1, std::chrono::seconds(30)}, runtime::systemClock());
  std::int64_t id = 0;
  {
    const auto lease = pool.acquire({});
    id = lease->connectionId();
    lease->begin();
    lease->execute("insert into t values (1)");
  }
  const auto lease = pool.acquire({});
  CHECK(lease->connectionId() == id);
  CHECK_FALSE(lease->isInTransaction());
  lease->execute("insert into t values (2)");
  CHECK(store.scalar("select group_concat(id) from t") == "2");
}

TEST_CASE("ConnectionPool serves many threads with few connections") {
  ConnectionPool pool(test::testConnectSettings(), {3, std::chrono::seconds(30)}, runtime::systemClock());
  test::TestSignal<std::string> ended;
  runtime::ThreadGroup threads;
  constexpr int kThreads = 12;
  for (int i = 0; i < kThreads; ++i) {
    threads.spawn("user", [&] {
      try {
        for (int round = 0; round < 20; ++round) {
          const auto lease = pool.acquire({});
          use(*lease);
          if (round % 7 == 3) lease->markBroken();
        }
        ended.send("");
      } catch (const std::exception& e) {
        ended.send(e.what());
      }
    });
  }
  for (int i = 0; i < kThreads; ++i) CHECK(ended.wait().value_or("nothing").empty());
  threads.join();
  CHECK(pool.numOpen() <= 3);
}
