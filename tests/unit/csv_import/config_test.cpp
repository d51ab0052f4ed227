#include "disttask/base/error.hpp"
#include "plugin_config.hpp"
#include "sessions.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace disttask;
using namespace disttask::csv_import;

TEST_CASE("The plugin's configuration is read, and what is wrong names the key") {
  const PluginConfig config = parseConfig(R"({"allowed_dirs": ["/data", "/srv/in"], "rejects_dir": "/srv/rejects"})");
  CHECK(config.allowed_dirs == std::vector<std::string>{"/data", "/srv/in"});
  CHECK(config.rejects_dir == "/srv/rejects");
  CHECK(parseConfig("{}").allowed_dirs.empty());
  CHECK_THROWS_WITH(
      parseConfig(R"({"allowed_dirs": "/data"})"),
      "plugins.config.csv_import.allowed_dirs: expected a list of directories, found string"
  );
  CHECK_THROWS_WITH(
      parseConfig(R"({"allowed_dirs": ["data"]})"),
      "plugins.config.csv_import.allowed_dirs[0]: expected an absolute path, found 'data'"
  );
  CHECK_THROWS_WITH(
      parseConfig(R"({"dirs": []})"),
      "plugins.config.csv_import.dirs: no such key; expected allowed_dirs, ledger_days, rejects_dir"
  );
}

TEST_CASE("A named connection is taken from the host's JSON") {
  const ConnectionInfo info = parseConnection(
      "main",
      R"({"host": "db", "port": 3307, "user": "u", "password": "p", "tls": {"mode": "verify", "ca": "/ca.pem"},
          "schemas": ["app"], "max_connections": 4, "ledger": "app.ledger", "store_id": "s1"})"
  );
  REQUIRE(info.connect.endpoints.size() == 1);
  CHECK(info.connect.endpoints[0].host == "db");
  CHECK(info.connect.endpoints[0].port == 3307);
  CHECK(info.connect.user == "u");
  CHECK(info.connect.password() == "p");
  CHECK(info.connect.tls.mode == sqlclient::TlsMode::kVerify);
  CHECK(info.ledger == "app.ledger");
  CHECK(info.store_id == "s1");
  CHECK_NOTHROW(info.requireSchema("app", "target.schema"));
  CHECK_THROWS_WITH(
      info.requireSchema("mysql", "target.schema"),
      "target.schema: connection 'main' does not allow schema 'mysql' (connections.main.schemas)"
  );
}

TEST_CASE("A connection that cannot serve an import says what is missing, and never its password") {
  CHECK_THROWS_WITH(
      parseConnection("c", R"({"socket": "/s", "password": "secret", "store_id": "s"})"),
      "connection 'c': it names no ledger table (connections.c.ledger)"
  );
  CHECK_THROWS_WITH(
      parseConnection("c", R"({"ledger": "a.b", "password": "secret", "store_id": "s"})"),
      "connection 'c': neither host nor socket is given"
  );
  CHECK_THROWS_WITH(
      parseConnection("c", R"({"socket": "/s", "ledger": "a.b"})"), "connection 'c': the host gives no store id"
  );
}
