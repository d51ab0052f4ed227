#pragma once
#include "disttask/runtime/clock.hpp"
#include "disttask/sqlclient/connection.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

namespace disttask::sqlclient {

struct PoolSettings {
  std::size_t max_connections = 4;
  std::chrono::seconds max_idle{30};  ///< an idle connection older than this is closed, not handed out
};

/// Whether the server is asked for a session that stood idle for more than a second before it is handed out.
enum class IdleCheck {
  kAsk,    ///< one more round trip
  kTrust,  ///< the borrower sends its statement again when the session turns out to be dead
};

/// A bounded set of connections. Any thread. A broken connection is never handed out again, and one to a read-only
/// server no longer than for a few seconds: the name, the proxy or another endpoint may lead to a server that takes
/// writes by then. Connecting happens outside the lock.
class ConnectionPool {
 public:
  ConnectionPool(ConnectSettings connect, PoolSettings settings, runtime::Clock& clock);
  ~ConnectionPool();

  /// A borrowed connection; goes back by its destructor, to the waste when broken.
  class Lease {
   public:
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    Connection& operator*() const noexcept { return *connection_; }
    Connection* operator->() const noexcept { return connection_.get(); }

   private:
    friend class ConnectionPool;
    Lease(ConnectionPool& pool, std::unique_ptr<Connection> connection, runtime::TimePoint opened)
        : pool_(&pool), connection_(std::move(connection)), opened_(opened) {}
    ConnectionPool* pool_;
    std::unique_ptr<Connection> connection_;
    runtime::TimePoint opened_;
  };

  /// Returns a connection, made if needed. Throws kTimedOut when none is free by the call's deadline, kCancelled, or
  /// what Connection::open throws. Sessions that lay idle when one broke are asked whatever `check` says.
  Lease acquire(const runtime::Call& call, IdleCheck check = IdleCheck::kAsk);
  /// Returns how many connections exist (idle and borrowed).
  [[nodiscard]] std::size_t numOpen() const;
  /// Closes idle connections.
  void closeIdle();

 private:
  void giveBack(std::unique_ptr<Connection> connection, runtime::TimePoint opened) noexcept;
  /// True for a session that should be made anew.
  [[nodiscard]] bool isToBeLeft(const Connection& connection, runtime::TimePoint opened) const noexcept;
  struct Idle {
    std::unique_ptr<Connection> connection;
    runtime::TimePoint since;
    runtime::TimePoint opened;
  };
  const ConnectSettings connect_;
  const PoolSettings settings_;
  runtime::Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Idle> idle_;
  std::size_t num_open_ = 0;
  runtime::TimePoint doubted_at_{};  // what lay idle then may be dead too
};

}  // namespace disttask::sqlclient
