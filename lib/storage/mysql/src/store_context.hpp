#pragma once
#include "disttask/base/failpoint.hpp"
#include "disttask/runtime/clock.hpp"
#include "disttask/sqlclient/call_watch.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "disttask/sqlclient/pool.hpp"
#include "disttask/storage/mysql/store.hpp"
#include "dxf_dialect.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace disttask::storage::mysql {

using sqlclient::Connection;
using sqlclient::ConnectionPool;

/// What all tables share: connections, and how a unit of work is tried again. Any thread.
class StoreContext {
 public:
  StoreContext(StoreSettings settings, runtime::Clock& clock);

  /// Borrows a connection: its session is in UTC, READ COMMITTED, strict. A call without a deadline gets 30 s.
  ConnectionPool::Lease acquire(const Call& call) { return pool_.acquire(bounded(call)); }
  /// Borrows the one connection for renewals of leases: connect, read and write limits of 3 s. For updateOne and short
  /// transactions only: on TiDB it has no autocommit. Whoever uses it does its work again when the session had died
  /// while it lay idle.
  ConnectionPool::Lease acquireForLease(const Call& call) {
    return lease_pool_.acquire(bounded(call), sqlclient::IdleCheck::kTrust);
  }

  /// Borrows the one connection for merged writes of runs: it waits for locks for 1 s only, since many rows wait with
  /// the locked one, and it keeps the prepared texts of all sizes. On TiDB it has no autocommit: for updateMany only.
  ConnectionPool::Lease acquireForRuns(const Call& call) { return runs_pool_.acquire(bounded(call)); }

  /// Begins what ends the store calls of this thread when the call's token is cancelled; nothing for a call that is not
  /// to be cut off.
  [[nodiscard]] std::optional<sqlclient::CallWatch::Section> watched(const Call& call);

  /// Runs `body(connection)` in a transaction and commits. A conflict, or a connection that broke before the commit was
  /// sent, undid everything: the whole transaction is tried again until the call's deadline, so `body` must not keep
  /// results of a failed try. Throws kStoreUnavailable (reaction kReconnect) when the outcome of the commit is unknown:
  /// re-read, then decide. A body that calls connection.rollback() ends without commit.
  template <typename F>
  auto inTransaction(const Call& call, std::string_view name, F body) {
    const Call limited = bounded(call);
    const auto watching = watched(limited);
    for (Attempts attempts;;) {
      bool committing = false;
      try {
        const auto lease = pool_.acquire(limited);
        auto finish = [&] {
          DISTTASK_FAILPOINT("store.before_commit");
          committing = true;
          if (lease->isInTransaction()) lease->commit();
          DISTTASK_FAILPOINT("store.committed");
        };
        lease->begin();
        if constexpr (std::is_void_v<std::invoke_result_t<F&, Connection&>>) {
          body(*lease);
          finish();
          return;
        } else {
          auto result = body(*lease);
          finish();
          return result;
        }
      } catch (const Exception& e) {
        pauseOrThrow(limited, name, e.error(), committing, attempts);
      }
    }
  }

  /// Runs `body(connection)`, which only reads and opens no transaction; tried again like inTransaction, also when the
  /// session had died while it lay idle.
  template <typename F>
  auto read(const Call& call, std::string_view name, F body) {
    const Call limited = bounded(call);
    const auto watching = watched(limited);
    for (Attempts attempts;;) {
      try {
        const auto lease = pool_.acquire(limited, sqlclient::IdleCheck::kTrust);
        return body(*lease);
      } catch (const Exception& e) {
        pauseOrThrow(limited, name, e.error(), false, attempts);
      }
    }
  }

  [[nodiscard]] const StoreSettings& settings() const noexcept { return settings_; }
  /// Returns the dialect for the tables of a live TiDB; nullptr when all tables are ours.
  [[nodiscard]] DxfDialect* dialect() const noexcept { return dialect_.get(); }
  [[nodiscard]] runtime::Clock& clock() const noexcept { return clock_; }
  /// Returns how sessions that change the schema connect: long read limit, short waits for locks; `with_schema` selects
  /// the database.
  [[nodiscard]] sqlclient::ConnectSettings ddlConnect(bool with_schema) const;

 private:
  struct Attempts {
    std::uint32_t conflicts = 0;
    std::uint32_t broken = 0;
  };
  [[nodiscard]] Call bounded(const Call& call) const;
  /// Waits before the next try; throws the error (with the name) when another try would be wrong or comes too late.
  void pauseOrThrow(const Call& call, std::string_view name, const Error& error, bool committing, Attempts& attempts);

  const StoreSettings settings_;
  runtime::Clock& clock_;
  const std::unique_ptr<DxfDialect> dialect_;  // before the pools, whose connections use it
  ConnectionPool pool_;
  ConnectionPool runs_pool_;
  ConnectionPool lease_pool_;
  sqlclient::CallWatch watch_{"store-watch"};
};

}  // namespace disttask::storage::mysql
