#include "disttask/sqlclient/dsn.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using sqlclient::parseDsn;
using sqlclient::TlsMode;

namespace {

std::string problemOf(const std::string& text) {
  try {
    static_cast<void>(parseDsn(text));
  } catch (const Exception& e) {
    CHECK(e.error().code() == ErrorCode::kInvalidArgument);
    return e.error().message();
  }
  return "accepted";
}

bool problemHas(const std::string& text, const std::string& words) {
  const auto problem = problemOf(text);
  INFO(problem);
  return problem.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("Dsn has all parts of the text") {
  const auto dsn =
      parseDsn("mysql://disttask:secret@db.example:3307/tasks?tls=verify&ca=/etc/ssl/ca.pem&cert=/c.pem&key=/k.pem");
  CHECK(dsn.user == "disttask");
  CHECK(dsn.password == "secret");
  CHECK(dsn.endpoint.host == "db.example");
  CHECK(dsn.endpoint.port == 3307);
  CHECK(dsn.schema == "tasks");
  CHECK(dsn.tls.mode == TlsMode::kVerify);
  CHECK(dsn.tls.ca == "/etc/ssl/ca.pem");
  CHECK(dsn.tls.cert == "/c.pem");
  CHECK(dsn.tls.key == "/k.pem");

  const auto settings = toConnectSettings(dsn);
  REQUIRE(settings.endpoints.size() == 1);
  CHECK(settings.endpoints[0].toString() == "db.example:3307");
  CHECK(settings.password() == "secret");
  CHECK(settings.schema == "tasks");
}

TEST_CASE("Dsn takes what is left out from defaults") {
  const auto dsn = parseDsn("mysql://root@localhost");
  CHECK_FALSE(dsn.password);
  CHECK(dsn.endpoint.port == 3306);
  CHECK(dsn.schema.empty());
  CHECK(dsn.tls.mode == TlsMode::kOff);
  CHECK_FALSE(toConnectSettings(dsn).password);
  CHECK(parseDsn("mysql://root:@localhost/").password == "");
}

TEST_CASE("Dsn names a socket") {
  const auto dsn = parseDsn("mysql://root@localhost/?socket=/run/my%20sql/s.sock");
  CHECK(dsn.endpoint.socket == "/run/my sql/s.sock");
  CHECK(dsn.endpoint.toString() == "socket /run/my sql/s.sock");
  CHECK(parseDsn("mysql://root@/?socket=/s").endpoint.socket == "/s");
}

TEST_CASE("Dsn decodes percent signs in each part and takes IPv6 in brackets") {
  const auto dsn = parseDsn("mysql://a%3Ab:p%2F%3f%40@[::1]:4000/sch%65ma");
  CHECK(dsn.user == "a:b");
  CHECK(dsn.password == "p/?@");
  CHECK(dsn.endpoint.host == "::1");
  CHECK(dsn.endpoint.port == 4000);
  CHECK(dsn.endpoint.toString() == "[::1]:4000");
  CHECK(dsn.schema == "schema");
  CHECK(parseDsn("mysql://u:p@ss@h/").password == "p@ss");
}

TEST_CASE("Dsn is shown without its password") {
  for (const std::string text :
       {"mysql://u@h:3306/s",
        "mysql://u@[::1]:4000/",
        "mysql://u%40x@h:1/s?tls=verify&ca=/ca.pem",
        "mysql://u@localhost/s?socket=/a/b"}) {
    CHECK(toDisplayText(parseDsn(text)) == text);
  }
  CHECK(toDisplayText(parseDsn("mysql://u:secret@h/s")) == "mysql://u@h:3306/s");
}

TEST_CASE("Dsn says which part is wrong and what was expected") {
  CHECK(problemHas("postgres://u@h/", "scheme: expected it to begin with mysql://"));
  CHECK(problemHas("mysql://h/s", "user: expected USER@ before the host"));
  CHECK(problemHas("mysql://:x@h/s", "user: expected a name before '@'"));
  CHECK(problemHas("mysql://u@/s", "host: expected a host or ?socket=PATH"));
  CHECK(problemHas("mysql://u@h:port/", "port: expected a number from 1 to 65535, found 'port'"));
  CHECK(problemHas("mysql://u@h:0/", "port: expected"));
  CHECK(problemHas("mysql://u@h:65536/", "port: expected"));
  CHECK(problemHas("mysql://u@h:33x/", "port: expected"));
  CHECK(problemHas("mysql://u@::1/", "host: an IPv6 address stands in brackets"));
  CHECK(problemHas("mysql://u@[::1/", "host: '[' without ']'"));
  CHECK(problemHas("mysql://u@[::1]x/", "host: only ':PORT' may follow ']'"));
  CHECK(problemHas("mysql://u@h/a/b", "schema: expected one name"));
  CHECK(problemHas("mysql://u%4@h/", "user: '%' must be followed by two hexadecimal digits"));
  CHECK(problemHas("mysql://u@h/?sockt=/x", "'sockt' is unknown; expected socket, tls, ca, cert or key"));
  CHECK(problemHas("mysql://u@h/?socket", "options: expected NAME=VALUE"));
  CHECK(problemHas("mysql://u@h/?socket=", "socket: expected a value"));
  CHECK(problemHas("mysql://u@h/?tls=prefer&ca=/x", "tls: expected 'verify' or 'off', found 'prefer'"));
  CHECK(problemHas("mysql://u@h/?tls=verify", "ca: tls=verify needs ca=PATH"));
  CHECK(problemHas("mysql://u@h/?socket=/s&tls=verify&ca=/x", "tls: a socket needs no TLS"));
}

TEST_CASE("Dsn never shows the password in an error") {
  for (const std::string text :
       {"mysql://u:SECRET@",
        "mysql://u:SECRET@h:x/",
        "mysql://u:SECRET%zz@h/",
        "mysql://u:SECRET/x@h/",
        "mysql://u:SECRET?x@h/",
        "mysql://u:SECRET@h/?x=1",
        "mysql:/u:SECRET@h/",
        "mysql://:SECRET@h/",
        "mysql://u:SECRET@h/a/b",
        "mysql://u:SECRET"}) {
    const auto problem = problemOf(text);
    INFO(text << " -> " << problem);
    CHECK(problem != "accepted");
    CHECK(problem.find("SECRET") == std::string::npos);
  }
}
