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
#include <vector>

namespace disttask::csv_import {

/// A named connection as the host describes it.
struct ConnectionInfo {
  std::string name;
  sqlclient::ConnectSettings connect;
  std::vector<std::string> schemas;  ///< that may be written to; empty: all
  std::string ledger;                ///< SCHEMA.TABLE
  std::string store_id;

  /// Throws kInvalidArgument when this schema is not among them.
  void requireSchema(const std::string& schema) const;
};

/// Takes the host's JSON apart (see disttask_ext_connection in disttask_plugin.h, and "store_id"). Throws
/// kInvalidConfig.
[[nodiscard]] ConnectionInfo parseConnection(const std::string& name, std::string_view json);

enum class Purpose : std::uint8_t {
  kImport,  ///< strict sql_mode, short time limits
  kVerify,  ///< reads much: an answer may take an hour
};

/// Keeps idle sessions of named connections, so that a chunk does not pay for a login. Whoever takes one holds one of
/// the host's places for that connection, so there are never more sessions than places. Any thread.
class Sessions {
 public:
  class Lease {
   public:
    Lease(Sessions& owner, std::string name, Purpose purpose, std::unique_ptr<sqlclient::Connection> connection);
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    sqlclient::Connection& operator*() const noexcept { return *connection_; }

   private:
    Sessions* owner_;
    std::string name_;
    Purpose purpose_;
    std::unique_ptr<sqlclient::Connection> connection_;
  };

  /// Returns a session, an idle one that still answers or a new one. Throws what Connection::open throws.
  Lease take(const ConnectionInfo& info, Purpose purpose);
  /// Ends calls of sessions whose caller is cancelled.
  [[nodiscard]] sqlclient::CallWatch& watch() noexcept { return watch_; }
  /// Ends a session that was given up in the middle of a statement, which its server would go on with. Best effort, a
  /// few seconds at most.
  static void endOnServer(const ConnectionInfo& info, std::int64_t connection_id) noexcept;
  /// Closes the idle sessions of a connection.
  void closeIdle(const std::string& name);

 private:
  struct Idle {
    Purpose purpose;
    std::unique_ptr<sqlclient::Connection> connection;
    std::chrono::steady_clock::time_point since;
  };
  void giveBack(const std::string& name, Purpose purpose, std::unique_ptr<sqlclient::Connection> connection) noexcept;

  std::mutex mutex_;
  std::map<std::string, std::vector<Idle>> idle_;  // guarded by mutex_
  sqlclient::CallWatch watch_{"csv-watch"};
};

}  // namespace disttask::csv_import
