#pragma once
#include "disttask/sqlclient/call_watch.hpp"
#include "disttask/sqlclient/connection.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace disttask::plugin_common {

/// A named connection as the host describes it.
struct ConnectionInfo {
  std::string name;
  sqlclient::ConnectSettings connect;
  std::vector<std::string> schemas;  ///< that may be written to; empty: all
  std::string ledger;                ///< SCHEMA.TABLE
  std::string store_id;

  /// Throws kInvalidArgument when this schema is not among them; `where` names the key that asks for it.
  void requireSchema(const std::string& schema, const std::string& where) const;
  /// Throws kInvalidArgument when this is the ledger table, however its letters are written: a task that writes there
  /// could say of any chunk that it is done.
  void refuseLedger(const std::string& schema, const std::string& table, const std::string& where) const;
};

/// Takes the host's JSON apart (see disttask_ext_connection in disttask_plugin.h, and "store_id"). Throws
/// kInvalidConfig.
[[nodiscard]] ConnectionInfo parseConnection(const std::string& name, std::string_view json);

/// What a session is for: sessions of one kind and connection stand in for each other.
struct SessionKind {
  std::string name;
  std::chrono::seconds read_timeout{60};
  std::chrono::seconds write_timeout{60};
  bool found_rows = false;           ///< see ConnectSettings
  std::vector<std::string> session;  ///< statements sent after each connect
  /// Sent after those; a server that does not know the variable, or does not let this account set it, is passed over.
  std::vector<std::string> where_known = {};
};

/// Keeps idle sessions of named connections, so that a subtask does not pay for a login. Whoever takes one holds one of
/// the host's places for that connection, so there are never more sessions than places. Any thread.
class Sessions {
 public:
  class Lease {
   public:
    Lease(Sessions& owner, ConnectionInfo info, std::string kind, std::unique_ptr<sqlclient::Connection> connection);
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    sqlclient::Connection& operator*() const noexcept { return *connection_; }

   private:
    Sessions* owner_;
    ConnectionInfo info_;
    std::string kind_;
    std::unique_ptr<sqlclient::Connection> connection_;
  };

  /// `watch_name` is the name of its thread.
  explicit Sessions(std::string watch_name) : watch_(std::move(watch_name)) {}

  /// Returns a session, an idle one that still answers or a new one. An idle one that was opened by other settings than
  /// these (server, user, password, TLS, schemas) is closed instead. Throws what Connection::open throws.
  Lease take(const ConnectionInfo& info, const SessionKind& kind);
  /// Ends calls of sessions whose caller is cancelled.
  [[nodiscard]] sqlclient::CallWatch& watch() noexcept { return watch_; }
  /// Ends a session that was given up in the middle of a statement, which its server would go on with. Best effort, a
  /// few seconds at most.
  static void endOnServer(const ConnectionInfo& info, std::int64_t connection_id) noexcept;
  /// Closes the idle sessions of a connection.
  void closeIdle(const std::string& name);

 private:
  struct Idle {
    ConnectionInfo info;
    std::string kind;
    std::unique_ptr<sqlclient::Connection> connection;
    std::chrono::steady_clock::time_point since;
  };
  void giveBack(ConnectionInfo info, std::string kind, std::unique_ptr<sqlclient::Connection> connection) noexcept;

  std::mutex mutex_;
  std::map<std::string, std::vector<Idle>> idle_;  // guarded by mutex_
  sqlclient::CallWatch watch_;
};

}  // namespace disttask::plugin_common
