// What the sessions are set to, whatever the server's own settings are, and whose idle sessions serve again.
#include "import_fixture.hpp"
#include "sessions.hpp"

#include <catch2/catch.hpp>

#include <set>
#include <string>

using namespace disttask;
using csv_import::parseConnection;
using csv_import::Purpose;
using csv_import::sessionKind;
using csv_import::Sessions;
using test::ImportFixture;

namespace {

/// Sets a global variable until the end of the test, if the server has it.
class Global {
 public:
  Global(ImportFixture& fixture, std::string name, const std::string& value)
      : fixture_(fixture), name_(std::move(name)) {
    try {
      before_ = fixture_.scalar("select @@global." + name_);
      if (before_.empty()) return;  // TiDB has some that mean nothing
      fixture_.execute("set global " + name_ + " = " + value);
      is_set_ = true;
    } catch (const Exception& exception) {
      REQUIRE(exception.error().storeNumber() == 1193);
    }
  }
  Global(const Global&) = delete;
  Global& operator=(const Global&) = delete;
  ~Global() {
    if (is_set_) fixture_.execute("set global " + name_ + " = " + before_);
  }
  [[nodiscard]] bool isSet() const noexcept { return is_set_; }

 private:
  ImportFixture& fixture_;
  std::string name_;
  std::string before_;
  bool is_set_ = false;
};

std::string valueIn(sqlclient::Connection& connection, const std::string& expression) {
  auto rows = connection.queryDynamic("test.value", "select " + expression, {});
  REQUIRE(rows.next());
  return rows.getString(1);
}

}  // namespace

TEST_CASE("What checks and verification depend on is set in their sessions, where the server knows it") {
  ImportFixture f;
  const auto info = parseConnection("main", f.connectionJson());
  Sessions sessions("test");
  const auto expect = [&](const std::string& name, const std::string& other, Purpose purpose, const char* expected) {
    INFO(name);
    const Global global(f, name, other);
    if (!global.isSet()) return false;
    sessions.closeIdle("main");
    auto lease = sessions.take(info, sessionKind(purpose));
    CHECK(valueIn(*lease, "cast(@@session." + name + " as signed)") == expected);
    return true;
  };
  CHECK(expect("sql_notes", "0", Purpose::kImport, "1"));
  CHECK(expect("max_error_count", "0", Purpose::kImport, "64"));
  expect("check_constraint_checks", "0", Purpose::kImport, "1");
  const bool statement_time = expect("max_statement_time", "50", Purpose::kVerify, "0");
  const bool execution_time = expect("max_execution_time", "50000", Purpose::kVerify, "0");
  CHECK((statement_time || execution_time));
  expect("wsrep_sync_wait", "0", Purpose::kVerify, "1");
}

TEST_CASE("A value that is rounded is refused on a server that keeps no notes") {
  ImportFixture f;
  f.execute("create table t (id int, amount decimal(5,2))");
  const Global notes(f, "sql_notes", "0");
  const Global errors(f, "max_error_count", "0");
  CHECK_THAT(
      f.failure(1, f.meta(f.file("f.csv", "id,amount\n1,1.239\n"), "t")),
      Catch::Contains("the server would change a value: ")
  );
  CHECK(f.scalar("select count(*) from t") == "0");
}

TEST_CASE("Where warnings are not kept and the account may not change that, nothing is imported") {
  ImportFixture f;
  f.useOwnUser();
  f.execute("create table t (id int, amount decimal(5,2))");
  const Global errors(f, "max_error_count", "0");
  const std::string error = f.failure(1, f.meta(f.file("f.csv", "id,amount\n1,1.239\n"), "t"));
  CHECK_THAT(
      error, Catch::Contains("the server would change a value: ") || Catch::Contains("the server keeps no warnings")
  );
  CHECK(f.scalar("select count(*) from t") == "0");
}

TEST_CASE("An idle session serves again only while its connection's settings are the same") {
  ImportFixture f;
  const std::string user = f.useOwnUser();
  Json json = Json::parse(f.connectionJson());
  Sessions sessions("test");
  const auto idOf = [&] {
    const auto lease = sessions.take(parseConnection("main", json.dump()), sessionKind(Purpose::kImport));
    return std::pair((*lease).connectionId(), valueIn(*lease, "substring_index(user(), '@', 1)"));
  };
  const auto first = idOf();
  CHECK(idOf() == first);
  json["user"] = user;
  json["password"] = "test";
  const auto second = idOf();
  CHECK(second.first != first.first);
  CHECK(second.second == user);
  CHECK(idOf() == second);
  json["schemas"] = Json(Json::Array{Json("other")});
  CHECK(idOf().first != second.first);
}
