#include "disttask/runtime/thread_group.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "disttask/sqlclient/pool.hpp"

#include "support/certificates.hpp"
#include "support/child_process.hpp"
#include "support/fake_clock.hpp"
#include "support/temp_dir.hpp"
#include "support/wait.hpp"
#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

using namespace disttask;
using sqlclient::Connection;
using sqlclient::TlsMode;

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

/// A listening socket on loopback, any free port.
class Listener {
 public:
  Listener() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);  // the socket API's own idiom
    REQUIRE(::bind(socket_, raw, size) == 0);
    REQUIRE(::listen(socket_, 4) == 0);
    REQUIRE(::getsockname(socket_, raw, &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { ::close(socket_); }
  [[nodiscard]] int socket() const { return socket_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};

/// The greeting of a server that offers no TLS and asks for the password in clear.
std::string greeting() {
  using namespace std::string_literals;
  const std::string body =
      "\x0a"s + "10.11.0-MariaDB\0"s + "\x01\0\0\0"s + "12345678"s + "\0"s +
      "\x09\x82"s +          // CLIENT_PROTOCOL_41, SECURE_CONNECTION, CONNECT_WITH_DB; no CLIENT_SSL (0x0800)
      "\x2d"s + "\x02\0"s +  // utf8mb4, autocommit
      "\x08\0"s +            // CLIENT_PLUGIN_AUTH
      "\x15"s + std::string(10, '\0') + "123456789012\0"s + "mysql_clear_password\0"s;
  std::string packet;
  packet.push_back(static_cast<char>(body.size()));
  return packet.append("\0\0\0"s).append(body);
}

/// Takes one connection, greets it, and returns all that the client sends within a moment.
std::string hearWhatIsSent(const Listener& listener) {
  const int client = ::accept(listener.socket(), nullptr, nullptr);
  const auto hello = greeting();
  if (::send(client, hello.data(), hello.size(), MSG_NOSIGNAL) < 0) return "send failed";
  const timeval limit{2, 0};
  ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  std::string heard;
  char buffer[4096];
  for (;;) {
    const auto size = ::recv(client, buffer, sizeof buffer, 0);
    if (size <= 0) break;
    heard.append(buffer, static_cast<std::size_t>(size));
  }
  ::close(client);
  return heard;
}

struct Heard {
  std::string bytes;
  Error error{ErrorCode::kInternal, ""};
};

Heard connectToFalseServer(sqlclient::ConnectSettings settings) {
  const Listener listener;
  settings.endpoints = {{"127.0.0.1", listener.port(), ""}};
  settings.user = "disttask";
  settings.password = [] { return std::string("hunter2"); };
  settings.connect_timeout = settings.read_timeout = std::chrono::seconds(2);
  test::TestSignal<std::string> heard;
  runtime::ThreadGroup threads;
  threads.spawn("false-server", [&] { heard.send(hearWhatIsSent(listener)); });
  Heard result;
  result.error = errorOf([&] { Connection::open(settings); });
  result.bytes = heard.wait().value_or("nothing");
  threads.join();
  return result;
}

void run(const std::vector<std::string>& command, const std::filesystem::path& folder) {
  test::ChildProcess child(command, {}, folder);
  const auto end = child.wait(std::chrono::seconds(60));
  INFO(command[0] << ": " << child.output() << child.errors());
  REQUIRE(end);
  REQUIRE(end->exit_code == 0);
}

/// A server of its own, with these options.
class PrivateServer {
 public:
  explicit PrivateServer(const std::vector<std::string>& options) {
    const char* const script = std::getenv("DISTTASK_PRIVATE_MARIADB");
    REQUIRE(script != nullptr);
    script_ = script;
    std::vector<std::string> command{script_, "start", folder()};
    command.insert(command.end(), options.begin(), options.end());
    run(command, "/");
  }
  PrivateServer(const PrivateServer&) = delete;
  PrivateServer& operator=(const PrivateServer&) = delete;
  ~PrivateServer() {
    static_cast<void>(test::ChildProcess({script_, "stop", folder()}).wait(std::chrono::seconds(60)));
  }

  [[nodiscard]] sqlclient::ConnectSettings bySocket() const {
    sqlclient::ConnectSettings settings;
    settings.endpoints = {{"", 0, folder() + "/s.sock"}};
    settings.user = "root";
    return settings;
  }

 private:
  [[nodiscard]] std::string folder() const { return (folder_ / "server").string(); }
  test::TempDir folder_;
  std::string script_;
};

sqlclient::ConnectSettings verified(std::string ca, std::string host, std::uint16_t port) {
  sqlclient::ConnectSettings settings;
  settings.endpoints = {{std::move(host), port, ""}};
  settings.user = "tls";
  settings.password = [] { return std::string("hunter2"); };
  settings.tls.mode = TlsMode::kVerify;
  settings.tls.ca = std::move(ca);
  return settings;
}

}  // namespace

TEST_CASE("Connection sends no password to a server that does not offer the TLS that is asked for") {
  sqlclient::initializeDriver();
  const test::Certificates certificates;
  sqlclient::ConnectSettings settings;
  SECTION("asked for") {
    settings.tls.mode = TlsMode::kVerify;
    settings.tls.ca = certificates.path("ca.pem");
    const auto heard = connectToFalseServer(settings);
    CHECK(heard.error.code() == ErrorCode::kStoreSessionUnfit);
    CHECK(heard.error.message().find("TLS with a verified server is asked for") != std::string::npos);
    CHECK(heard.bytes.find("hunter2") == std::string::npos);
    CHECK(heard.bytes.find("disttask") == std::string::npos);
  }
  SECTION("not asked for: the false server does hear it, so this test would notice") {
    CHECK(connectToFalseServer(settings).bytes.find("hunter2") != std::string::npos);
  }
  SECTION("without the authority's file it does not even try") {
    settings.tls.mode = TlsMode::kVerify;
    CHECK(errorOf([&] { Connection::open(settings); }).code() == ErrorCode::kInvalidConfig);
  }
}

TEST_CASE("Connection by TLS verifies the authority and the host, and its session is encrypted") {
  sqlclient::initializeDriver();
  const test::Certificates certificates;
  const auto port = test::freePort();
  const PrivateServer server(certificates.serverOptions(port));
  const auto root = Connection::open(server.bySocket());
  root->execute("create user 'tls'@'127.0.0.1' identified by 'hunter2'");
  root->execute("grant all on *.* to 'tls'@'127.0.0.1'");

  {
    const auto connection = Connection::open(verified(certificates.path("ca.pem"), "127.0.0.1", port));
    auto rows = connection->queryDynamic("test", "show session status like 'Ssl_cipher'", {});
    REQUIRE(rows.next());
    CHECK_FALSE(rows.getString(2).empty());
  }
  // A chain of another authority, and a name that the certificate does not have.
  const auto wrong_ca =
      errorOf([&] { Connection::open(verified(certificates.path("other-ca.pem"), "127.0.0.1", port)); });
  CHECK(wrong_ca.code() == ErrorCode::kStoreSessionUnfit);
  const auto wrong_name = errorOf([&] { Connection::open(verified(certificates.path("ca.pem"), "localhost", port)); });
  CHECK(wrong_name.code() == ErrorCode::kStoreSessionUnfit);

  // Of two endpoints the one that takes writes is used; a read-only one only where there is no other.
  root->execute("set global read_only = 1");
  auto both = server.bySocket();
  both.endpoints.push_back({"127.0.0.1", port, ""});
  CHECK(Connection::open(both)->endpoint().toString() == both.endpoints[0].toString());
  root->execute("set global read_only = 0");
}

TEST_CASE("A server whose binary log takes statements is refused, and a write that it refuses is named an unfit session"
) {
  sqlclient::initializeDriver();
  const PrivateServer server({"--log-bin=binlog", "--server-id=1", "--binlog-format=ROW"});
  const auto root = Connection::open(server.bySocket());
  root->execute("create database d");
  root->execute("create table d.t (id int primary key)");
  // Each write would fail, so the session is not used at all.
  root->execute("set global binlog_format = 'STATEMENT'");
  const auto refused = errorOf([&] { Connection::open(server.bySocket()); });
  CHECK(refused.code() == ErrorCode::kStoreSessionUnfit);
  CHECK(refused.message().find("binlog_format=STATEMENT") != std::string::npos);
  // A session that was good when it was made, and is not any more.
  root->execute("set session binlog_format = 'STATEMENT'");
  const auto unfit = errorOf([&] { root->execute("insert into d.t values (1)"); });
  CHECK(unfit.storeNumber() == 1665);
  CHECK(unfit.code() == ErrorCode::kStoreSessionUnfit);
  CHECK(unfit.reaction() == Reaction::kBackOff);
  root->execute("set global binlog_format = 'ROW'");
  const auto good = Connection::open(server.bySocket());
  CHECK(good->execute("insert into d.t values (1)") == 1);
}

TEST_CASE("Connection leaves a server that became read-only when another endpoint is configured") {
  sqlclient::initializeDriver();
  const PrivateServer server({});
  const auto root = Connection::open(server.bySocket());
  root->execute("create database d");
  root->execute("create table d.t (id int primary key)");
  root->execute("create user plain@localhost");
  root->execute("grant all on d.* to plain@localhost");
  auto settings = server.bySocket();
  settings.user = "plain";
  settings.schema = "d";
  const auto alone = Connection::open(settings);
  settings.endpoints.push_back(settings.endpoints.front());
  const auto one_of_two = Connection::open(settings);
  root->execute("set global read_only = 1");
  for (auto* const connection : {alone.get(), one_of_two.get()}) {
    const auto error = errorOf([&] { connection->execute("insert into t values (1)"); });
    CHECK(error.code() == ErrorCode::kStoreReadOnly);
    CHECK(error.reaction() == Reaction::kBackOff);
  }
  CHECK_FALSE(alone->isBroken());
  CHECK(one_of_two->isBroken());
}

TEST_CASE("A pool asks for a writable endpoint again and again where it found none") {
  sqlclient::initializeDriver();
  const PrivateServer server({});
  const auto root = Connection::open(server.bySocket());
  auto settings = server.bySocket();
  test::FakeClock clock;
  sqlclient::ConnectionPool alone(settings, {}, clock);
  settings.endpoints.push_back(settings.endpoints.front());
  sqlclient::ConnectionPool pool(settings, {}, clock);
  root->execute("set global read_only = 1");
  const auto id = pool.acquire({})->connectionId();
  const auto id_alone = alone.acquire({})->connectionId();
  CHECK(pool.acquire({})->connectionId() == id);
  root->execute("set global read_only = 0");
  clock.advance(std::chrono::seconds(5));
  const auto writable = pool.acquire({})->connectionId();
  CHECK(writable != id);
  // Without another endpoint the session may well be of one who writes all the same.
  CHECK(alone.acquire({})->connectionId() == id_alone);
  clock.advance(std::chrono::seconds(5));
  CHECK(pool.acquire({})->connectionId() == writable);
}
