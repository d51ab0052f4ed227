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

/// A bounded set of connections. Any thread. A broken connection is never handed out again; connecting happens outside
/// the lock.
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
    Lease(ConnectionPool& pool, std::unique_ptr<Connection> connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    ConnectionPool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  /// Returns a connection, made if needed. Throws kTimedOut when none is free by the call's deadline, kCancelled, or
  /// what Connection::open throws.
  Lease acquire(const runtime::Call& call);
  /// Returns how many connections exist (idle and borrowed).
  [[nodiscard]] std::size_t numOpen() const;
  /// Closes idle connections.
  void closeIdle();

 private:
  void giveBack(std::unique_ptr<Connection> connection) noexcept;
  struct Idle {
    std::unique_ptr<Connection> connection;
    runtime::TimePoint since;
  };
  const ConnectSettings connect_;
  const PoolSettings settings_;
  runtime::Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Idle> idle_;
  std::size_t num_open_ = 0;
};

}  // namespace disttask::sqlclient
