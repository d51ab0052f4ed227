#pragma once
#include "disttask/runtime/clock.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "disttask/storage/mysql/store.hpp"

#include <memory>
#include <string>

namespace disttask::test {

/// Returns the connect settings of DISTTASK_TEST_DSN, no schema selected. Throws one clear sentence when it is not set.
[[nodiscard]] sqlclient::ConnectSettings testConnectSettings();

/// A schema of its own on the test server, dropped at the end. Thread-compatible; its Store is for any thread.
class TestStore {
 public:
  enum class Schema { kInstalled, kEmpty, kMissing };

  /// Makes the schema: with our tables, as an empty database, or only its name. `settings` gives the rest (pool, lease,
  /// clock).
  explicit TestStore(
      Schema schema = Schema::kInstalled,
      storage::mysql::StoreSettings settings = {},
      runtime::Clock& clock = runtime::systemClock()
  );
  TestStore(const TestStore&) = delete;
  TestStore& operator=(const TestStore&) = delete;
  ~TestStore();

  [[nodiscard]] storage::mysql::Store& store() noexcept { return *store_; }
  [[nodiscard]] storage::mysql::Store* operator->() noexcept { return store_.get(); }
  /// Makes another Store on the same schema: what another process would have.
  [[nodiscard]] std::unique_ptr<storage::mysql::Store> makeStore() const;
  /// Opens a raw connection with the schema selected.
  [[nodiscard]] std::unique_ptr<sqlclient::Connection> connect() const;
  /// Returns the name of the schema; also the settings that makeStore uses.
  [[nodiscard]] const std::string& schema() const noexcept { return settings_.schema; }
  [[nodiscard]] const storage::mysql::StoreSettings& settings() const noexcept { return settings_; }
  /// True if the server is a TiDB: it has no triggers and one engine, and ends the statement of a client that went
  /// away.
  [[nodiscard]] bool isTiDb() const;
  /// Runs a query that gives one value, as text; "" when it gives no row.
  [[nodiscard]] std::string scalar(const std::string& sql) const;
  /// Runs a statement; returns its count of rows.
  std::int64_t execute(const std::string& sql) const;

 private:
  storage::mysql::StoreSettings settings_;
  runtime::Clock& clock_;
  mutable std::unique_ptr<sqlclient::Connection> connection_;
  std::unique_ptr<storage::mysql::Store> store_;
};

}  // namespace disttask::test
