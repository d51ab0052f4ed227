#include "store_context.hpp"

#include "disttask/runtime/thread_group.hpp"

#include "support/test_store.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <atomic>
#include <functional>

using namespace disttask;
using runtime::Call;
using sqlclient::Connection;
using sqlclient::Sql;
using storage::mysql::StoreContext;
using test::TestStore;

namespace {

constexpr Sql kAdd{"test.add", "update t set v = v + ? where id = ?"};

Error errorOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Exception& e) {
    return e.error();
  }
  FAIL("nothing was thrown");
  return {ErrorCode::kInternal, ""};
}

/// A schema with one table of two rows, and a context on it.
struct Fixture {
  TestStore store{TestStore::Schema::kEmpty};
  StoreContext context{store.settings(), runtime::systemClock()};
  Fixture() {
    store.execute("create table t (id int primary key, v int not null)");
    store.execute("insert into t values (1, 0), (2, 0)");
  }
  void kill(Connection& connection) const { store.execute("kill " + std::to_string(connection.connectionId())); }
  [[nodiscard]] std::string values() const { return store.scalar("select group_concat(v order by id) from t"); }
};

}  // namespace

TEST_CASE("StoreContext gives sessions that are in UTC, strict, and end an idle transaction") {
  Fixture f;
  const auto lease = f.context.acquire({});
  auto rows = lease->queryDynamic("test", "select @@time_zone, @@sql_mode, @@innodb_lock_wait_timeout, database()", {});
  REQUIRE(rows.next());
  CHECK(rows.getString(1) == "+00:00");
  CHECK(rows.getString(2).find("STRICT_TRANS_TABLES") != std::string::npos);
  CHECK(rows.getInt(3) == 3);
  CHECK(rows.getString(4) == f.store.schema());
  if (lease->flavour() == sqlclient::Flavour::kMariaDb) {
    auto limit = lease->queryDynamic("test", "select @@idle_transaction_timeout", {});
    REQUIRE(limit.next());
    CHECK(limit.getInt(1) == 10);  // a third of the lease
  }
}

TEST_CASE("StoreContext has a connection for leases that work cannot use up") {
  Fixture f;
  std::vector<sqlclient::ConnectionPool::Lease> all;
  for (std::size_t i = 0; i < f.store.settings().pool_size; ++i) all.push_back(f.context.acquire({}));
  Call call;
  call.deadline = runtime::Deadline(runtime::systemClock(), std::chrono::milliseconds(20));
  CHECK(errorOf([&] { f.context.acquire(call); }).code() == ErrorCode::kTimedOut);
  CHECK_NOTHROW(f.context.acquireForLease({}));
}

TEST_CASE("A transaction commits its body's work, or none of it") {
  Fixture f;
  CHECK(f.context.inTransaction({}, "test", [](Connection& c) {
    return c.update(kAdd, {std::int64_t{5}, std::int64_t{1}});
  }) == 1);
  CHECK(f.values() == "5,0");
  const auto error = errorOf([&] {
    f.context.inTransaction({}, "test.tx", [](Connection& c) {
      c.update(kAdd, {std::int64_t{1}, std::int64_t{1}});
      throw Exception(ErrorCode::kLost, "fenced");
    });
  });
  CHECK(error.code() == ErrorCode::kLost);
  CHECK(error.message() == "test.tx: fenced");
  f.context.inTransaction({}, "test", [](Connection& c) {
    c.update(kAdd, {std::int64_t{1}, std::int64_t{1}});
    c.rollback();
  });
  CHECK(f.values() == "5,0");
}

TEST_CASE("Transactions that deadlock are both done in the end, each once") {
  Fixture f;
  std::atomic<int> num_tries = 0;
  std::atomic<int> num_holding = 0;
  test::TestSignal<std::string> ended;
  runtime::ThreadGroup threads;
  const auto add_to_both = [&](std::int64_t first, std::int64_t second) {
    threads.spawn("adder", [&, first, second] {
      try {
        bool crossing = true;  // on the first try both hold their first row before either wants its second
        f.context.inTransaction({}, "test", [&](Connection& c) {
          ++num_tries;
          c.update(kAdd, {std::int64_t{1}, first});
          if (std::exchange(crossing, false)) {
            ++num_holding;
            static_cast<void>(test::eventually([&] { return num_holding == 2; }));
          }
          c.update(kAdd, {std::int64_t{10}, second});
        });
        ended.send("");
      } catch (const std::exception& e) {
        ended.send(e.what());
      }
    });
  };
  add_to_both(1, 2);
  add_to_both(2, 1);
  CHECK(ended.wait().value_or("nothing").empty());
  CHECK(ended.wait().value_or("nothing").empty());
  threads.join();
  CHECK(f.values() == "11,11");
  CHECK(num_tries == 3);
}

TEST_CASE("A transaction that waits for a locked row tries again until its deadline") {
  Fixture f;
  const auto holder = f.store.connect();
  holder->begin();
  holder->execute("update t set v = 100 where id = 1");
  int num_tries = 0;
  Call call;
  SECTION("the row comes free after the first lock wait ended") {
    // The second try finds it free: the holder lets go once the first has failed.
    f.context.inTransaction(call, "test", [&](Connection& c) {
      if (++num_tries == 2) holder->commit();
      c.update(kAdd, {std::int64_t{1}, std::int64_t{2}});
      c.update(kAdd, {std::int64_t{1}, std::int64_t{1}});
    });
    CHECK(num_tries == 2);
    CHECK(f.values() == "101,1");  // the first try's change of row 2 was rolled back
  }
  SECTION("the deadline comes first") {
    call.deadline = runtime::Deadline(runtime::systemClock(), std::chrono::seconds(1));
    const auto error = errorOf([&] {
      f.context.inTransaction(call, "test", [&](Connection& c) {
        ++num_tries;
        c.update(kAdd, {std::int64_t{1}, std::int64_t{1}});
      });
    });
    CHECK(error.code() == ErrorCode::kStoreConflict);
    CHECK(error.storeNumber() == 1205);
    CHECK(num_tries == 1);
  }
}

TEST_CASE("A transaction whose connection broke before the commit is done again") {
  Fixture f;
  int num_tries = 0;
  f.context.inTransaction({}, "test", [&](Connection& c) {
    c.update(kAdd, {std::int64_t{1}, std::int64_t{1}});
    if (++num_tries == 1) f.kill(c);
    c.update(kAdd, {std::int64_t{1}, std::int64_t{2}});
  });
  CHECK(num_tries == 2);
  CHECK(f.values() == "1,1");
}

TEST_CASE("A transaction whose commit got no answer is not done again: the caller looks first") {
  Fixture f;
  int num_tries = 0;
  const auto error = errorOf([&] {
    f.context.inTransaction({}, "test", [&](Connection& c) {
      ++num_tries;
      c.update(kAdd, {std::int64_t{1}, std::int64_t{1}});
      f.kill(c);
    });
  });
  CHECK(error.code() == ErrorCode::kStoreUnavailable);
  CHECK(error.reaction() == Reaction::kReconnect);
  CHECK(num_tries == 1);
}

TEST_CASE("A transaction is not begun, nor tried again, after a cancel") {
  Fixture f;
  runtime::CancelSource cancel;
  const Call call{cancel.token(), {}};
  int num_tries = 0;
  const auto holder = f.store.connect();
  holder->begin();
  holder->execute("update t set v = 100 where id = 1");
  const auto body = [&](Connection& c) {
    ++num_tries;
    cancel.cancel(runtime::CancelCause::kShutdown);
    c.update(kAdd, {std::int64_t{1}, std::int64_t{1}});
  };
  CHECK(errorOf([&] { f.context.inTransaction(call, "test", body); }).code() == ErrorCode::kCancelled);
  CHECK(errorOf([&] { f.context.inTransaction(call, "test", body); }).code() == ErrorCode::kCancelled);
  CHECK(num_tries == 1);
}

TEST_CASE("A read on a connection that died is done again on another") {
  Fixture f;
  int num_tries = 0;
  const auto value = f.context.read({}, "test", [&](Connection& c) {
    if (++num_tries == 1) f.kill(c);
    auto rows = c.queryDynamic("test", "select v from t where id = 1", {});
    return rows.next() ? rows.getInt(1) : -1;
  });
  CHECK(value == 0);
  CHECK(num_tries == 2);
}

TEST_CASE("Sessions wait for a lock no longer than a part of the lease") {
  TestStore store(TestStore::Schema::kEmpty);
  for (const auto& [lease, expected] : std::vector<std::pair<int, int>>{{3, 1}, {20, 2}, {600, 3}}) {
    auto settings = store.settings();
    settings.lease = std::chrono::seconds(lease);
    StoreContext context(settings, runtime::systemClock());
    const auto connection = context.acquire({});
    auto rows = connection->queryDynamic("test", "select @@innodb_lock_wait_timeout", {});
    REQUIRE(rows.next());
    CHECK(rows.getInt(1) == expected);
  }
}
