#pragma once
#include "chunk_meta.hpp"
#include "disttask/plugin_common/names.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "import_options.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace disttask::csv_import {
struct TargetTable;
}

/// Every SQL text of this plugin.
namespace disttask::csv_import::statements {

inline constexpr sqlclient::Sql kListColumns{
    "csv_import.list_columns",
    "select column_name, data_type, column_type, is_nullable, if(column_default is null, 0, 1), extra, "
    "cast(least(coalesce(character_maximum_length, 0), 4294967295) as signed), "
    "cast(least(coalesce(character_octet_length, 0), 4294967295) as signed), coalesce(character_set_name, ''), "
    "coalesce(datetime_precision, 0) from information_schema.columns where table_schema = ? and table_name = ? order "
    "by ordinal_position"};
inline constexpr sqlclient::Sql kPrimaryKey{
    "csv_import.primary_key",
    "select column_name from information_schema.statistics "
    "where table_schema = ? and table_name = ? and index_name = 'PRIMARY' and seq_in_index = 1"};
// Sessions keep at most max_error_count of them (64). Without a limit: TiDB takes none.
inline constexpr sqlclient::Sql kWarnings{"csv_import.warnings", "show warnings"};
// MySQL prepares no statement that looks at warnings; a text of this kind is none, and leaves them as they are.
inline constexpr const char* kCountWarnings = "get diagnostics @disttask_warnings = number";
inline constexpr const char* kFirstWarning = "get diagnostics condition 1 @disttask_warning = message_text";
inline constexpr sqlclient::Sql kCountedWarnings{
    "csv_import.counted_warnings", "select @disttask_warnings, @disttask_warning"};

inline constexpr sqlclient::Sql kKeptWarnings{
    "csv_import.kept_warnings", "select least(@@session.max_error_count, @@session.sql_notes)"};

// Each session that imports or verifies. A value out of range must be an error; 0 in an auto_increment column must stay
// 0.
inline constexpr const char* kStrictMode =
    "set session sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO'";
inline constexpr const char* kNames = "set names utf8mb4";
// A value that was changed must show as a warning, however the server is set: rounded decimals are notes. And MariaDB's
// check constraints must hold.
inline constexpr const char* kNotes = "set session sql_notes = 1";
inline constexpr const char* kMaxErrors = "set session max_error_count = 64";
inline constexpr const char* kConstraints = "set session check_constraint_checks = 1";
// Verification reads for as long as it takes (MariaDB, then MySQL and TiDB), and on Galera what other nodes committed.
inline constexpr const char* kNoStatementTime = "set session max_statement_time = 0";
inline constexpr const char* kNoExecutionTime = "set session max_execution_time = 0";
inline constexpr const char* kReadAllCommitted = "set session wsrep_sync_wait = 1";
inline constexpr const char* kChecksOn = "set session unique_checks = 1, foreign_key_checks = 1";
inline constexpr const char* kLockWait = "set session innodb_lock_wait_timeout = 10";

// Whether loads are possible (local_infile), and harmless (wsrep_on: Galera may commit within one).
inline constexpr sqlclient::Sql kLoadVariables{
    "csv_import.load_variables", "show variables where variable_name in ('local_infile', 'wsrep_on')"};
inline constexpr sqlclient::Sql kNumIndexes{
    "csv_import.num_indexes",
    "select count(*) from information_schema.statistics where table_schema = ? and table_name = ?"};
inline constexpr sqlclient::Sql kNumTriggers{
    "csv_import.num_triggers",
    "select count(*) from information_schema.triggers where event_object_schema = ? and event_object_table = ?"};

using plugin_common::quoted;

/// An insert of `num_rows` rows, all values bound.
[[nodiscard]] std::string insertRows(const TargetTable& target, OnDuplicate mode, std::size_t num_rows);
/// A load of rows as appendRow writes them. Bytes go in as they are: binary, which is also the quickest to read.
[[nodiscard]] std::string loadRows(const TargetTable& target);
/// Returns a row if the table has any.
[[nodiscard]] std::string anyRow(const std::string& schema, const std::string& table);
/// Least and greatest value of the key, as text; NULL when the table is empty.
[[nodiscard]] std::string keyBounds(const TargetTable& target);
/// Number of rows and sum of row hashes of the part's rows.
[[nodiscard]] std::string checksum(const TargetTable& target, const VerifyMeta& part);

// The ledger; `table` is quoted. A row is told by store_id, task_id, step, ordinal: the first four values of each text.
[[nodiscard]] std::string insertLedger(const std::string& table);
[[nodiscard]] std::string finishLedger(const std::string& table);
[[nodiscard]] std::string readLedger(const std::string& table);
[[nodiscard]] std::string sumLedger(const std::string& table);
[[nodiscard]] std::string putLedgerNote(const std::string& table);
// The row of step 0: whether a task goes on, has ended, or is being deleted.
[[nodiscard]] std::string lockLedgerTask(const std::string& table);
[[nodiscard]] std::string touchLedgerTask(const std::string& table);
[[nodiscard]] std::string markLedgerTask(const std::string& table);
[[nodiscard]] std::string claimLedgerTask(const std::string& table);
/// Binds days, store_id: all tasks of this type, with root, mark, whether the end is marked at all, and whether it is
/// old.
[[nodiscard]] std::string listLedgerTasks(const std::string& table);
/// Binds days, store_id, task_id: whether the last row of any step is old.
[[nodiscard]] std::string isLedgerTaskOld(const std::string& table);
/// Binds store_id, task_id and the least step.
[[nodiscard]] std::string deleteLedgerRows(const std::string& table);

}  // namespace disttask::csv_import::statements
