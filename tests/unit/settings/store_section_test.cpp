#include "support.hpp"

#include <catch2/catch.hpp>
#include <pwd.h>

using namespace disttask;
using namespace disttask::settings;
using namespace disttask::settings::test;
using Lines = std::vector<std::string>;

TEST_CASE("The store may be a list of endpoints, one endpoint, or a socket") {
  const ScratchFile ca("x");
  const auto many =
      parse("store:\n  endpoints: [a:4000, b]\n  tls: {mode: verify, ca: " + ca.path() + "}\n").value().store;
  REQUIRE(many.endpoints.size() == 2);
  CHECK(many.endpoints[0].port == 4000);
  CHECK(many.endpoints[1].port == 3306);
  CHECK(many.tls.mode == TlsMode::kVerify);
  CHECK(parse("store: {endpoints: \"127.0.0.1:4000\"}\n").value().store.endpoints.size() == 1);
  CHECK(parse(kStore).value().store.endpoints.front().socket == "/run/db.sock");
}

TEST_CASE("A store beyond this host needs a word on TLS") {
  CHECK_THAT(
      problemsOf("store: {endpoints: [db:4000]}\n").at(0),
      Catch::StartsWith("d.yaml:1:1: store: goes over the network; say tls:")
  );
  CHECK(problemsOf("store: {endpoints: [db:4000], tls: {mode: off}}\n").empty());
}

TEST_CASE("TLS with verification needs a CA file, and certificate and key together") {
  CHECK(
      problemsOf("store:\n  socket: /s\n  tls: {mode: verify}\n") ==
      Lines{"d.yaml:3:3: store.tls.ca: is missing, expected a PEM file to verify the server with"}
  );
  CHECK(
      problemsOf("store:\n  socket: /s\n  tls: {mode: verify, ca: /nowhere/ca}\n") ==
      Lines{"d.yaml:3:23: store.tls.ca: value '/nowhere/ca', expected a file that can be read: No such file or "
            "directory"}
  );
  CHECK(
      problemsOf("store:\n  socket: /s\n  tls: {mode: maybe}\n") ==
      Lines{"d.yaml:3:15: store.tls.mode: value 'maybe', expected off or verify"}
  );
}

TEST_CASE("A password file that everybody may read is refused at its line") {
  const ScratchFile open("hush\n", 0644);
  const auto problems = problemsOf("store:\n  socket: /s\n  password_file: " + open.path() + "\n");
  REQUIRE(problems.size() == 1);
  CHECK_THAT(
      problems[0],
      Catch::StartsWith("d.yaml:3:3: store.password_file: value '" + open.path() + "': may be read by everybody")
  );
  CHECK_THAT(problemsOf("store: {socket: /s, password_file: /nowhere/pw}\n").at(0), Catch::Contains("No such file"));
  CHECK_THAT(problemsOf("store: {socket: /s, password_credential: a/b}\n").at(0), Catch::Contains("without '/'"));
}

TEST_CASE("A key that everybody may read is refused as a password file is, of the store and of connections") {
  const ScratchFile pem("x", 0644);
  const ScratchFile key("x", 0640);
  const std::string wrong =
      "value '" + pem.path() + "': may be read by everybody; take that right away with: chmod o-rwx";
  const auto store =
      "store:\n  socket: /s\n  tls: {mode: verify, ca: " + pem.path() + ", cert: " + pem.path() + ", key: ";
  CHECK_THAT(problemsOf(store + pem.path() + "}\n").at(0), Catch::EndsWith(": store.tls.key: " + wrong));
  CHECK(problemsOf(store + key.path() + "}\n").empty());
  const auto connection =
      kStore +
      "connections:\n  d: {socket: /d, user: u, types: [t], schemas: [s], tls: {mode: off, cert: " + pem.path() +
      ", key: ";
  CHECK_THAT(problemsOf(connection + pem.path() + "}}\n").at(0), Catch::EndsWith(": connections.d.tls.key: " + wrong));
  CHECK(problemsOf(connection + key.path() + "}}\n").empty());
  for (const mode_t mode : {0602, 0606, 0604, 0644}) {
    const ScratchFile other("x", mode);
    CHECK(problemsOf(store + other.path() + "}\n").size() == 1);
  }
  CHECK_THAT(problemsOf(store + "/}\n").at(0), Catch::EndsWith("value '/': is no regular file"));
}

namespace {

/// Works as an account that may read little, where root would read all.
class AsNobody {
 public:
  AsNobody() {
    if (::geteuid() == 0 && ::seteuid(kNobody) != 0) throw std::runtime_error("seteuid");
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  ~AsNobody() { static_cast<void>(::seteuid(::getuid())); }

 private:
  static constexpr uid_t kNobody = 65534;
};

}  // namespace

TEST_CASE("A secret or a certificate that this account may not read is refused with the account and the remedy") {
  const ScratchFile locked("hush\n", 0000);
  ::chmod(locked.folder().c_str(), 0755);
  const auto yaml = "store:\n  socket: /s\n  password_file: " + locked.path() +
                    "\n  tls:\n    mode: verify\n    ca: " + locked.path() + "\n    cert: " + locked.path() +
                    "\n    key: " + locked.path() + "\n";
  Lines problems;
  std::string account;
  {
    const AsNobody nobody;
    account = ::getpwuid(::geteuid())->pw_name;  // NOLINT(concurrency-mt-unsafe): one thread
    problems = problemsOf(yaml);
  }
  const auto why = "Permission denied for the account '" + account +
                   "'; give it that right, such as by a group of its own: chgrp GROUP and chmod g+r";
  const auto value = "value '" + locked.path() + "'";
  CHECK(
      problems ==
      Lines{
          "d.yaml:3:3: store.password_file: " + value + ": " + why,
          "d.yaml:6:5: store.tls.ca: " + value + ", expected a file that can be read: " + why,
          "d.yaml:7:5: store.tls.cert: " + value + ", expected a file that can be read: " + why,
          "d.yaml:8:5: store.tls.key: " + value + ": " + why}
  );
}

TEST_CASE("Two ways to say the same are refused") {
  const ScratchFile pw("x");
  CHECK(problemsOf("store: {socket: /s, endpoints: [localhost]}\n").size() == 1);
  CHECK(problemsOf("store: {socket: /s, password_file: " + pw.path() + ", password_credential: c}\n").size() == 1);
}

TEST_CASE("A connection gets its defaults, its ledger in the first schema") {
  const auto connection =
      parse(kStore + "connections: {demo: {socket: /d, user: u, types: [csv_import], schemas: [s1, s2]}}\n")
          .value()
          .connections.at("demo");
  CHECK(connection.endpoint.socket == "/d");
  CHECK(connection.max_connections == 4);
  CHECK(connection.ledger == "s1.disttask_csv_ledger");
  CHECK(
      parse(kStore + "connections: {d: {socket: /d, user: u, types: [t], schemas: [s], ledger: x.y}}\n")
          .value()
          .connections.at("d")
          .ledger == "x.y"
  );
}

TEST_CASE("A connection that says not who may use it is refused") {
  CHECK(
      problemsOf(kStore + "connections:\n  demo:\n    endpoint: 127.0.0.1\n") ==
      Lines{
          "d.yaml:3:3: connections.demo: has no user",
          "d.yaml:3:3: connections.demo.types: is missing or empty, expected the task types that may use this "
          "connection",
          "d.yaml:3:3: connections.demo.schemas: is missing or empty, expected the schemas that tasks may write "
          "through "
          "this connection",
      }
  );
  CHECK(
      problemsOf(kStore + "connections: {d: {socket: /d, user: u, types: [t], schemas: [s], ledger: nodot}}\n")
          .size() == 1
  );
  CHECK(problemsOf(kStore + "connections: {d: ~}\n").size() == 1);
}

TEST_CASE("Schema mysql, beside a live TiDB, has rules of its own, each one sentence") {
  const std::string store = "store: {socket: /s, schema: mysql}\n";
  const auto right = parse("node: {id: \"db-7:7001\"}\n" + store);
  REQUIRE(right);
  CHECK(right.value().store.side_schema == "disttask");
  CHECK_FALSE(right.value().scheduler.enabled);
  CHECK(parse("node: {id: \"db-7:7001\"}\nscheduler: {enabled: false}\n" + store));
  CHECK(
      problemsOf("node: {id: \"db-7:7001\"}\n" + store + "scheduler:\n  enabled: true\n") ==
      Lines{
          "d.yaml:4:3: scheduler.enabled: value 'true', expected false: TiDB's own scheduler plans and balances, since "
          "store.schema is mysql"}
  );
  CHECK(
      problemsOf("node:\n  id: db-7\n" + store) ==
      Lines{
          "d.yaml:2:3: node.id: value 'db-7', expected HOST:PORT as TiDB names its nodes, since store.schema is mysql"}
  );
  CHECK(
      problemsOf("node:\n  id: \"db-7:7001\"\n  scope: \"\"\n" + store) ==
      Lines{"d.yaml:3:10: node.scope: value '', expected a text that is not empty"}
  );
  CHECK(
      problemsOf("node: {id: \"db-7:7001\", scope: background}\n" + store) ==
      Lines{"d.yaml:1:25: node.scope: value 'background', expected another one: TiDB gives such nodes its own imports "
            "and "
            "indexes, since store.schema is mysql"}
  );
  CHECK(
      problemsOf("node: {id: \"db-7:7001\", scope: \"a.b\"}\n" + store) ==
      Lines{"d.yaml:1:25: node.scope: value 'a.b', expected 1 to 64 small letters, digits, '-' and '_', as "
            "tidb_service_scope, "
            "since store.schema is mysql"}
  );
  CHECK(problemsOf("node: {id: \"db-7:7001\", scope: \"a b\"}\n" + store).size() == 1);
  CHECK(
      problemsOf("node: {id: \"db-7:7001\"}\nstore: {socket: /s, schema: mysql, side_schema: mysql}\n") ==
      Lines{"d.yaml:2:36: store.side_schema: value 'mysql', expected the name of a schema for the tables of disttask"}
  );
  CHECK(
      problemsOf("store: {socket: /s, side_schema: other}\n") ==
      Lines{"d.yaml:1:21: store.side_schema: stands beside schema 'disttask', expected only with schema mysql"}
  );
  for (const char* nothing : {"enabled: ", "enabled: ~", "enabled: null"})
    CHECK(parse("node: {id: \"db-7:7001\"}\n" + store + "scheduler:\n  " + nothing + "\n"));
}

TEST_CASE("Schema mysql is that of a live TiDB in whatever case it is written") {
  for (const char* name : {"MySQL", "MYSQL", "mysqL"}) {
    INFO(name);
    const auto store = std::string("store: {socket: /s, schema: ") + name + "}\n";
    const auto right = parse("node: {id: \"db-7:7001\"}\n" + store);
    REQUIRE(right);
    CHECK(right.value().store.schema == "mysql");
    CHECK(right.value().store.side_schema == "disttask");
    CHECK_FALSE(right.value().scheduler.enabled);
    CHECK(problemsOf("node: {id: db-7}\n" + store).size() == 1);
    CHECK(
        problemsOf(
            std::string("node: {id: \"db-7:7001\"}\nstore: {socket: /s, schema: mysql, side_schema: ") + name + "}\n"
        ) ==
        Lines{"d.yaml:2:36: store.side_schema: value 'mysql', expected the name of a schema for the tables of disttask"}
    );
  }
  CHECK(parse("store: {socket: /s, schema: MySQL2}\n").value().store.schema == "MySQL2");
}
