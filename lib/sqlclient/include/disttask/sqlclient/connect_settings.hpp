#pragma once
#include "disttask/base/error.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace disttask::sqlclient {

/// How a connection is protected. There is no "TLS if offered": the connector would send the password in clear to
/// whoever does not offer it.
enum class TlsMode : std::uint8_t {
  kOff,     ///< plain; for sockets and loopback
  kVerify,  ///< TLS with a verified chain and host name, or no connection at all
};

struct TlsSettings {
  TlsMode mode = TlsMode::kOff;
  std::string ca;    ///< PEM file; required for kVerify
  std::string cert;  ///< client certificate, with key; optional
  std::string key;
};

/// Where a server is: host and port, or a unix socket.
struct Endpoint {
  std::string host;
  std::uint16_t port = 3306;
  std::string socket;  ///< path; when set, host and port do not matter
  [[nodiscard]] std::string toString() const;
};

struct ConnectSettings {
  std::vector<Endpoint> endpoints;  ///< tried in order
  std::string user;
  std::function<std::string()> password;  ///< read anew at each connect; empty function = no password
  std::string schema;                     ///< empty = none selected
  TlsSettings tls;
  std::chrono::seconds connect_timeout{5};
  std::chrono::seconds read_timeout{10};  ///< the only bound of a hung call; the connection is dead afterwards
  std::chrono::seconds write_timeout{10};
  /// Makes the text that is prepared from the one that is asked for; called once per text and connection, by the thread
  /// that uses it. Empty = sent as it is. Texts of Connection::execute are never translated.
  std::function<std::string(const std::string&)> translate;
  bool found_rows = true;  ///< CLIENT_FOUND_ROWS: counts are matched rows, not changed ones
  /// Statements sent after each connect, such as "set session innodb_lock_wait_timeout=3".
  std::vector<std::string> session;
  /// Sent to a TiDB only, after those. They make statements cheaper and change no result, so a variable that the server
  /// does not know is passed over.
  std::vector<std::string> tidb_tuning;
  /// The session does nothing outside of begin() and commit(). A TiDB then runs it without autocommit, so that begin()
  /// needs no round trip.
  bool only_transactions = false;
  /// The server ends the session when a transaction stands idle for longer, by the variable that its flavour has
  /// (design rule 14; MySQL has only wait_timeout, which ends any idle session: keep pooled ones shorter). 0 = not set.
  std::chrono::seconds idle_transaction_limit{0};
  /// Told of each session that a pool opened, and of each call, or try to connect, that failed: for who counts. Any
  /// thread; must be quick and must not throw. Either may be empty.
  std::function<void()> on_connect = {};
  std::function<void(const Error&)> on_error = {};
};

}  // namespace disttask::sqlclient
