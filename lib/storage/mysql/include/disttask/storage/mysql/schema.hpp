#pragma once
#include "disttask/runtime/clock.hpp"
#include "disttask/sqlclient/connection.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::storage::mysql {

class StoreContext;

/// What a look at the server found, compared with what this program expects.
struct SchemaStatus {
  std::int32_t version_found = 0;  ///< 0 = never installed to the end
  std::int32_t version_expected = 0;
  std::vector<std::string> problems;  ///< one sentence each: missing or different tables, columns, indexes, rows
  [[nodiscard]] bool isComplete() const noexcept { return problems.empty() && version_found == version_expected; }
};

/// The five DXF tables and our side tables: making them, looking at them, refusing what does not fit (design rule 23).
/// Any thread.
class Schema {
 public:
  /// Version of the tables; a program accepts its own and the one before.
  static constexpr std::int32_t kVersion = 2;
  /// The version that brought disttask_run_log.
  static constexpr std::int32_t kVersionOfRunLogs = 2;

  explicit Schema(StoreContext& context) : context_(context) {}

  /// Makes whatever is missing, the database too, and writes the version last. Idempotent; when two run at once, one
  /// waits for the other, or takes over when it stopped moving for 15 s. Returns what was done, one sentence each;
  /// nothing = all was there. Throws kStoreSchema for a newer version or tables that differ, kStoreNoPrivilege with the
  /// missing right.
  std::vector<std::string> install(const runtime::Call& call);
  /// Looks only. Throws when the server cannot be asked; a missing database is a finding, not an error.
  SchemaStatus status(const runtime::Call& call);
  /// Throws kStoreSchema, naming the command to run, unless the version is one that this program speaks. For daemons at
  /// their start.
  void check(const runtime::Call& call);
  /// Returns all of it as SQL text for a DBA to run by hand; afterwards status() is complete.
  [[nodiscard]] std::string dump() const;
  /// Returns the random id that this store got at installation. Throws kStoreSchema when there is none.
  std::string readStoreId(const runtime::Call& call);

 private:
  StoreContext& context_;
};

/// Makes the ledger table of bulk imports on another server or database; `table` is NAME or SCHEMA.NAME. Idempotent.
/// Returns true when it was made.
bool installLedger(const runtime::Call& call, const sqlclient::ConnectSettings& connect, const std::string& table);
/// Returns the ledger's `create table` text.
[[nodiscard]] std::string ledgerSql(const std::string& table);

}  // namespace disttask::storage::mysql
