// `load data local`: the server gets what is handed over, and never a file.
#include "disttask/sqlclient/connection.hpp"

#include "support/temp_dir.hpp"
#include "support/test_store.hpp"
#include <catch2/catch.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>

using namespace disttask;
using sqlclient::Connection;
using test::TestStore;

namespace {

/// Gives `text` in small blocks.
sqlclient::LocalSource sourceOf(const std::string& text) {
  return [&text, at = std::size_t{0}](char* buffer, std::size_t size) mutable {
    const std::size_t given = text.copy(buffer, std::min<std::size_t>(size, 7), at);
    at += given;
    return given;
  };
}

std::string loadInto(const TestStore& store, const std::string& file) {
  return "load data local infile '" + file + "' into table " + store.schema() + ".t (v)";
}

}  // namespace

TEST_CASE("Connection gives the server no file of this node, whatever it asks for") {
  const TestStore store(TestStore::Schema::kEmpty);
  const test::TempDir dir;
  const std::string secret = dir.write("secret", "password\n").string();
  store.execute("create table t (v varchar(100))");
  const auto connection = Connection::open(store.settings().connect);
  REQUIRE(connection->canLoad());
  // The statement only makes the server ask; a hostile one asks at will.
  CHECK_THROWS_AS(connection->execute(loadInto(store, secret)), Exception);
  CHECK(store.scalar("select count(*) from t") == "0");
  CHECK(connection->ping());
  if (connection->flavour() != sqlclient::Flavour::kMariaDb) return;  // others may forbid local loads

  const std::string text = "one\ntwo\n";
  const auto loaded = connection->load("test.load", loadInto(store, secret), sourceOf(text));
  CHECK(loaded.rows == 2);
  CHECK(loaded.warnings == 0);
  CHECK(store.scalar("select group_concat(v order by v) from t") == "one,two");
  CHECK_THROWS_AS(connection->execute(loadInto(store, secret)), Exception);
  CHECK(store.scalar("select count(*) from t") == "2");
}

TEST_CASE("Connection counts the warnings of a load, and is broken when its source fails") {
  const TestStore store(TestStore::Schema::kEmpty);
  store.execute("create table t (v tinyint)");
  const auto connection = Connection::open(store.settings().connect);
  if (connection->flavour() != sqlclient::Flavour::kMariaDb) return;  // others may forbid local loads
  const std::string text = "1\n1000\nx\n";
  CHECK(connection->load("test.load", loadInto(store, "rows"), sourceOf(text)).warnings == 2);

  {
    const sqlclient::Transaction transaction(*connection);
    const sqlclient::LocalSource failing = [](char* buffer, std::size_t) -> std::size_t {
      static_cast<void>(buffer);
      throw std::runtime_error("no more");
    };
    CHECK_THROWS_WITH(connection->load("test.load", loadInto(store, "rows"), failing), "no more");
  }
  CHECK(connection->isBroken());
  CHECK(store.scalar("select count(*) from t") == "3");
}
