#include "disttask/sqlclient/connection.hpp"

#include "disttask/runtime/thread_group.hpp"

#include "support/test_store.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <functional>
#include <limits>

using namespace disttask;
using sqlclient::Connection;
using sqlclient::Sql;
using sqlclient::Transaction;
using test::TestStore;

namespace {

constexpr Sql kSelectOne{"test.one", "select ?"};

Error errorOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Exception& e) {
    return e.error();
  }
  FAIL("nothing was thrown");
  return {ErrorCode::kInternal, ""};
}

void kill(const TestStore& store, std::int64_t connection_id, const std::string& what = "") {
  store.execute("kill " + what + " " + std::to_string(connection_id));
}

}  // namespace

TEST_CASE("Connection says why none of its endpoints could be used") {
  auto settings = test::testConnectSettings();
  const auto good = settings.endpoints.front();
  sqlclient::Endpoint no_socket;
  no_socket.socket = "/nonexistent/s.sock";
  sqlclient::Endpoint no_port;
  no_port.host = "127.0.0.1";
  no_port.port = 1;

  settings.endpoints = {no_socket, no_port};
  const auto error = errorOf([&] { Connection::open(settings); });
  CHECK(error.code() == ErrorCode::kStoreUnavailable);
  CHECK(error.reaction() == Reaction::kBackOff);  // nothing was sent, so nothing is unknown
  CHECK(error.message().find("socket /nonexistent/s.sock: ") != std::string::npos);
  CHECK(error.message().find("127.0.0.1:1: ") != std::string::npos);

  settings.endpoints = {no_socket, good};
  CHECK(Connection::open(settings)->endpoint().toString() == good.toString());

  settings.endpoints.clear();
  CHECK(errorOf([&] { Connection::open(settings); }).code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("Connection tells a refused login and a missing schema from a server that is away") {
  auto settings = test::testConnectSettings();
  settings.schema = "disttask_test_none";
  CHECK(errorOf([&] { Connection::open(settings); }).code() == ErrorCode::kStoreSchema);

  settings.schema.clear();
  settings.user = "disttask_no_such_user";
  settings.password = [] { return std::string("hunter2"); };
  const auto error = errorOf([&] { Connection::open(settings); });
  CHECK(error.code() == ErrorCode::kStoreNoPrivilege);
  CHECK(error.message().find("hunter2") == std::string::npos);
}

TEST_CASE("Connection reads the password anew at each connect") {
  auto settings = test::testConnectSettings();
  int reads = 0;
  const auto original = settings.password;
  settings.password = [&] { return ++reads, original ? original() : std::string(); };
  Connection::open(settings);
  Connection::open(settings);
  CHECK(reads == 2);
}

TEST_CASE("Connection works in READ COMMITTED, or not at all") {
  auto settings = test::testConnectSettings();
  const auto connection = Connection::open(settings);
  CHECK(connection->connectionId() > 0);
  CHECK_FALSE(connection->serverVersion().empty());

  settings.session = {"set session transaction isolation level repeatable read"};
  const auto error = errorOf([&] { Connection::open(settings); });
  CHECK(error.code() == ErrorCode::kStoreSessionUnfit);
  CHECK(error.message().find("'REPEATABLE-READ'") != std::string::npos);

  settings.session = {"set session no_such_variable = 1"};
  CHECK_THROWS_AS(Connection::open(settings), Exception);
}

TEST_CASE("Connection sends its session statements") {
  auto settings = test::testConnectSettings();
  settings.session = {"set session time_zone = '+03:00'", "set session innodb_lock_wait_timeout = 7"};
  const auto connection = Connection::open(settings);
  auto rows = connection->queryDynamic("test", "select @@time_zone, @@innodb_lock_wait_timeout", {});
  REQUIRE(rows.next());
  CHECK(rows.getString(1) == "+03:00");
  CHECK(rows.getInt(2) == 7);
}

TEST_CASE("Connection counts matched rows, and changed ones where asked") {
  TestStore store(TestStore::Schema::kEmpty);
  store.execute("create table t (id int primary key, v int)");
  store.execute("insert into t values (1, 5), (2, 6)");
  constexpr Sql kUpdate{"test.update", "update t set v = ? where id = ?"};
  const auto matched = store.connect();
  CHECK(matched->update(kUpdate, {std::int64_t{5}, std::int64_t{1}}) == 1);
  CHECK(matched->update(kUpdate, {std::int64_t{5}, std::int64_t{9}}) == 0);

  auto settings = store.settings().connect;
  settings.schema = store.schema();
  settings.found_rows = false;
  const auto changed = Connection::open(settings);
  CHECK(changed->update(kUpdate, {std::int64_t{5}, std::int64_t{1}}) == 0);
  CHECK(changed->update(kUpdate, {std::int64_t{7}, std::int64_t{1}}) == 1);
}

TEST_CASE("Connection keeps bound values exactly") {
  TestStore store(TestStore::Schema::kEmpty);
  store.execute(
      "create table t (id bigint primary key, i bigint null, d double null, b longblob null, s varchar(300) character "
      "set utf8mb4 null)"
  );
  constexpr Sql kInsert{"test.insert", "insert into t values (?, ?, ?, ?, ?)"};
  constexpr Sql kSelect{"test.select", "select i, d, b, s from t where id = ?"};
  const auto connection = store.connect();
  const std::string bytes("a\0b\xff\n'\\\"", 8);
  const std::string large(3'000'000, '\x01');
  const std::string text = "Zürich 東京 🚀";
  const double third = 1.0 / 3.0;

  // The same statement with values, NULLs and values again: what was bound before must not show through.
  connection->update(kInsert, {std::int64_t{1}, std::numeric_limits<std::int64_t>::min(), third, bytes, text});
  connection->update(kInsert, {std::int64_t{2}, nullptr, nullptr, nullptr, nullptr});
  connection->update(
      kInsert, {std::int64_t{3}, std::numeric_limits<std::int64_t>::max(), -1e-300, large, std::string()}
  );
  connection->update(kInsert, {std::int64_t{4}, std::int64_t{-5}, 0.0, std::string(), text});

  const auto check = [&](std::int64_t id, std::int64_t i, double d, const std::string& b, const std::string& s) {
    auto rows = connection->query(kSelect, {id});
    REQUIRE(rows.next());
    CHECK(rows.getInt(1) == i);
    CHECK(rows.getDouble(2) == d);
    CHECK((rows.getString(3) == b));  // no dump of 3 MB
    CHECK(rows.getString(4) == s);
    CHECK_FALSE(rows.isNull(3));
    CHECK_FALSE(rows.next());
  };
  check(1, std::numeric_limits<std::int64_t>::min(), third, bytes, text);
  check(3, std::numeric_limits<std::int64_t>::max(), -1e-300, large, "");
  check(4, -5, 0.0, "", text);

  auto rows = connection->query(kSelect, {std::int64_t{2}});
  REQUIRE(rows.next());
  for (std::uint32_t column = 1; column <= 4; ++column) CHECK(rows.isNull(column));
  CHECK(rows.getInt(1) == 0);
  CHECK(rows.getString(3).empty());
  CHECK(rows.numColumns() == 4);
  CHECK(rows.columnName(3) == "b");
}

TEST_CASE("Connection reads sums and large numbers") {
  const auto connection = Connection::open(test::testConnectSettings());
  auto rows = connection->queryDynamic(
      "test",
      "select sum(v), max(v), sum(cast(v as decimal(40,0))) * 1000000000000, count(*), floor(1700000000.123 * 1000) "
      "from (select 5000000000 v union "
      "all select 2) t",
      {}
  );
  REQUIRE(rows.next());
  CHECK(rows.getInt(1) == 5000000002);
  CHECK(rows.getInt(2) == 5000000000);
  CHECK(rows.getString(3) == "5000000002000000000000");
  CHECK(rows.getInt(4) == 2);
  CHECK(rows.getInt(5) == 1700000000123);
}

TEST_CASE("Connection refuses values that do not fit, and stays usable") {
  TestStore store(TestStore::Schema::kEmpty);
  store.execute("create table t (id int primary key, v varchar(3))");
  constexpr Sql kInsert{"test.insert", "insert into t values (?, ?)"};
  const auto connection = store.connect();
  const auto error = errorOf([&] { connection->update(kInsert, {std::int64_t{1}, std::string("SECRET")}); });
  CHECK(error.code() == ErrorCode::kStoreContent);
  CHECK(error.storeNumber() == 1406);
  CHECK(error.message().substr(0, 13) == "test.insert: ");
  CHECK(error.message().find("SECRET") == std::string::npos);
  CHECK_FALSE(connection->isBroken());
  CHECK(connection->update(kInsert, {std::int64_t{1}, std::string("abc")}) == 1);
  CHECK(errorOf([&] {
          connection->update(kInsert, {std::int64_t{1}, std::string("abc")});
        }).code() == ErrorCode::kAlreadyExists);
  CHECK(errorOf([&] { connection->execute("update no_such_table set a = 1"); }).code() == ErrorCode::kStoreSchema);
}

TEST_CASE("Connection has one open result per statement, and none after its end") {
  auto connection = Connection::open(test::testConnectSettings());
  auto first = std::make_optional(connection->query(kSelectOne, {std::int64_t{1}}));
  // The connector would show the second's values in the first, in silence.
  CHECK(errorOf([&] { connection->query(kSelectOne, {std::int64_t{2}}); }).code() == ErrorCode::kInternal);
  REQUIRE(first->next());
  CHECK(first->getInt(1) == 1);
  first.reset();
  auto second = connection->query(kSelectOne, {std::int64_t{2}});
  REQUIRE(second.next());
  connection.reset();
  CHECK(errorOf([&] { static_cast<void>(second.getInt(1)); }).code() == ErrorCode::kInternal);
}

TEST_CASE("Connection leaves no results behind after a text statement") {
  TestStore store;
  const auto connection = store.connect();
  CHECK(connection->execute("select 1 union select 2") == 0);
  CHECK(connection->execute("insert into dist_framework_meta (host) values ('a'), ('b')") == 2);
  CHECK(connection->execute("update dist_framework_meta set role = 'r' where host = 'a'") == 1);
  connection->execute("analyze table tidb_global_task");
  auto rows = connection->query(kSelectOne, {std::int64_t{3}});
  CHECK(rows.next());
}

TEST_CASE("Connection keeps 64 made statements and makes the others again") {
  const auto connection = Connection::open(test::testConnectSettings());
  for (int round = 0; round < 2; ++round) {
    for (std::int64_t i = 0; i < 100; ++i) {
      auto rows = connection->queryDynamic("test", "select ? + " + std::to_string(i), {i});
      REQUIRE(rows.next());
      CHECK(rows.getInt(1) == 2 * i);
    }
  }
  auto status = connection->queryDynamic("test", "show session status like 'Com_stmt_close'", {});
  if (connection->flavour() == sqlclient::Flavour::kTiDb) return;  // which counts no closed statements
  REQUIRE(status.next());
  CHECK(std::stoi(status.getString(2)) >= 100);
}

TEST_CASE("Transaction is undone unless committed") {
  TestStore store(TestStore::Schema::kEmpty);
  store.execute("create table t (id int primary key)");
  const auto connection = store.connect();
  {
    const Transaction transaction(*connection);
    connection->execute("insert into t values (1)");
    CHECK(connection->isInTransaction());
  }
  CHECK_FALSE(connection->isInTransaction());
  CHECK(store.scalar("select count(*) from t") == "0");
  {
    Transaction transaction(*connection);
    connection->execute("insert into t values (2)");
    transaction.commit();
  }
  CHECK(store.scalar("select id from t") == "2");
}

TEST_CASE("Connection that was killed is broken for ever") {
  TestStore store;
  const auto connection = store.connect();
  connection->query(kSelectOne, {std::int64_t{1}});
  kill(store, connection->connectionId());
  const auto error = errorOf([&] { connection->query(kSelectOne, {std::int64_t{1}}); });
  CHECK(error.reaction() == Reaction::kReconnect);
  CHECK(connection->isBroken());
  CHECK_FALSE(connection->ping());
  CHECK(errorOf([&] { connection->execute("select 1"); }).code() == ErrorCode::kStoreUnavailable);
}

TEST_CASE("Connection reports a commit that got no answer, where the connector says nothing") {
  TestStore store(TestStore::Schema::kEmpty);
  store.execute("create table t (id int primary key)");
  const auto connection = store.connect();
  Transaction transaction(*connection);
  connection->execute("insert into t values (1)");
  kill(store, connection->connectionId());
  const auto error = errorOf([&] { transaction.commit(); });
  CHECK(error.code() == ErrorCode::kStoreUnavailable);
  CHECK(error.reaction() == Reaction::kReconnect);
  CHECK(error.message().find("outcome is unknown") != std::string::npos);
  CHECK(connection->isBroken());
}

TEST_CASE("Connection survives the kill of one statement") {
  TestStore store;
  const auto connection = store.connect();
  const auto id = connection->connectionId();
  store.execute("create table n (a int primary key)");
  for (int i = 0; i < 50; ++i) store.execute("insert into n values (" + std::to_string(i) + ")");
  runtime::ThreadGroup threads;
  threads.spawn("killer", [&] {
    const auto other = store.connect();
    const auto is_running = [&] {
      auto rows = other->queryDynamic(
          "test", "select 1 from information_schema.processlist where id = ? and info like 'select count%'", {id}
      );
      return rows.next();
    };
    if (test::eventually(is_running)) other->execute("kill query " + std::to_string(id));
  });
  // Not sleep(), which MySQL lets return as if nothing had happened; nor tables of information_schema, as TiDB does
  // there.
  const auto error = errorOf([&] {
    connection->execute(
        "select count(*) from n a, n b, n c, n d, n e, n f where sha2(concat(a.a, b.a, c.a, d.a, e.a, f.a), 256) = 'x'"
    );
  });
  threads.join();
  CHECK(error.code() == ErrorCode::kStoreKilled);
  CHECK(error.reaction() == Reaction::kRetry);
  CHECK_FALSE(connection->isBroken());
  CHECK(connection->query(kSelectOne, {std::int64_t{1}}).next());
}

TEST_CASE("Connection gives up a hung call at its read limit and is then broken") {
  auto settings = test::testConnectSettings();
  settings.read_timeout = std::chrono::seconds(1);
  const auto connection = Connection::open(settings);
  const auto began = runtime::systemClock().now();
  const auto error = errorOf([&] { connection->queryDynamic("test.sleep", "select sleep(30)", {}); });
  CHECK(runtime::systemClock().now() - began < std::chrono::seconds(10));
  CHECK(error.code() == ErrorCode::kStoreUnavailable);
  CHECK(error.reaction() == Reaction::kReconnect);
  CHECK(connection->isBroken());
}

TEST_CASE("Connection with an idle limit loses a transaction that stands still") {
  TestStore store(TestStore::Schema::kEmpty);
  store.execute("create table t (id int primary key)");
  auto settings = store.settings().connect;
  settings.schema = store.schema();
  settings.idle_transaction_limit = std::chrono::seconds(1);
  const auto connection = Connection::open(settings);
  connection->begin();
  connection->execute("insert into t values (1)");
  const auto id = std::to_string(connection->connectionId());
  CHECK(test::eventually([&] {
    return store.scalar("select count(*) from information_schema.processlist where id = " + id) == "0";
  }));
  CHECK(errorOf([&] { connection->commit(); }).reaction() == Reaction::kReconnect);
  CHECK(connection->isBroken());
  CHECK(store.scalar("select count(*) from t") == "0");
}
