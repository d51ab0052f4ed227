#pragma once
#include "disttask/sqlclient/connection.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

/// The tables as data: the `create table` texts are made from it, and the servers' information_schema is compared with
/// it.
namespace disttask::storage::mysql::statements {

struct ColumnDefinition {
  std::string_view name;
  std::string_view type;  ///< without display width
  bool nullable = true;
  std::string_view default_value{};  ///< as SQL; empty = none (NULL for nullable ones)
  bool auto_increment = false;
};

struct IndexDefinition {
  std::string_view name;  ///< "PRIMARY" for the primary key
  bool unique = false;
  std::string_view columns;  ///< as SQL: comma and blank between
};

struct TableDefinition {
  std::string_view name;
  std::span<const ColumnDefinition> columns;
  std::span<const IndexDefinition> indexes;
};

// Contract 1.1 and 1.2: names, types and their order are the wire format.
inline constexpr ColumnDefinition kTaskColumns[] = {
    {"id", "bigint", false, {}, true},
    {"task_key", "varchar(256)", false},
    {"type", "varchar(256)", false},
    {"dispatcher_id", "varchar(261)"},
    {"state", "varchar(64)", false},
    {"priority", "int", true, "1"},
    {"create_time", "timestamp"},
    {"start_time", "timestamp"},
    {"state_update_time", "timestamp"},
    {"end_time", "timestamp"},
    {"meta", "longblob"},
    {"concurrency", "int"},
    {"step", "int"},
    {"target_scope", "varchar(256)", true, "''"},
    {"error", "blob"},
    {"modify_params", "json"},
    {"max_node_count", "int", true, "0"},
    {"extra_params", "json"},
    {"keyspace", "varchar(64)", true, "''"},
};
inline constexpr IndexDefinition kTaskIndexes[] = {
    {"PRIMARY", true, "id"},
    {"state", false, "state"},
    {"idx_keyspace", false, "keyspace"},
    {"task_key", true, "task_key"},
};

// Contract 1.3 and 1.4.
inline constexpr ColumnDefinition kSubtaskColumns[] = {
    {"id", "bigint", false, {}, true},
    {"step", "int"},
    {"namespace", "varchar(256)"},
    {"task_key", "varchar(256)"},
    {"ddl_physical_tid", "bigint"},
    {"type", "int"},
    {"exec_id", "varchar(261)"},
    {"exec_expired", "timestamp"},
    {"state", "varchar(64)", false},
    {"checkpoint", "longblob", false},
    {"concurrency", "int"},
    {"create_time", "timestamp"},
    {"start_time", "bigint"},
    {"state_update_time", "bigint"},
    {"end_time", "timestamp"},
    {"meta", "longblob"},
    {"ordinal", "int"},
    {"error", "blob"},
    {"summary", "json"},
};
// In place of the contract's idx_exec_id and idx_task_key: with the state in the index, the next subtask is found
// without a walk over the finished ones.
inline constexpr IndexDefinition kSubtaskIndexes[] = {
    {"PRIMARY", true, "id"},
    {"ix_exec", false, "exec_id, state, task_key, step, ordinal"},
    {"ix_task", false, "task_key, step, state"},
    {"uk_task_key_step_ordinal", true, "task_key, step, ordinal"},
};
inline constexpr IndexDefinition kSubtaskHistoryIndexes[] = {
    {"PRIMARY", true, "id"},
    {"idx_task_key", false, "task_key"},
    {"idx_state_update_time", false, "state_update_time"},
};

// Contract 1.5.
inline constexpr ColumnDefinition kMetaColumns[] = {
    {"host", "varchar(261)", false},
    {"role", "varchar(64)"},
    {"cpu_count", "int", true, "0"},
    {"keyspace_id", "bigint", false, "-1"},
};
inline constexpr IndexDefinition kMetaIndexes[] = {{"PRIMARY", true, "host"}};

inline constexpr ColumnDefinition kNodeColumns[] = {
    {"exec_id", "varchar(261)", false},
    {"life", "bigint", false},
    {"instance_uuid", "varchar(64)"},
    {"boot_id", "varchar(64)"},
    {"lock_file_id", "varchar(64)"},
    {"renewals", "bigint", false},
    {"lease_ms", "bigint", false},
    {"host", "varchar(255)"},
    {"pid", "bigint"},
    {"address", "varchar(300)"},
    {"nudge_token", "bigint"},
    {"types", "text"},
    {"wanted", "varchar(16)", false, "'normal'"},
    {"wanted_until", "timestamp"},
    {"wanted_message", "varchar(1024)", false, "''"},
    {"reasons", "text"},
    {"version", "varchar(64)"},
    {"epoch", "bigint"},
    {"registered_at", "timestamp"},
    {"modifications", "bigint", false, "0"},
};
inline constexpr IndexDefinition kNodeIndexes[] = {{"PRIMARY", true, "exec_id"}};

inline constexpr ColumnDefinition kOwnerColumns[] = {
    {"id", "int", false},
    {"exec_id", "varchar(261)", false},
    {"life", "bigint", false},
    {"seq", "bigint", false},
    {"term", "bigint", false},
    {"modifications", "bigint", false, "0"},
};
inline constexpr ColumnDefinition kOwnerLeaseColumns[] = {
    {"id", "int", false},
    {"life", "bigint", false},
    {"renewals", "bigint", false},
    {"renewed_at", "timestamp"},
};
inline constexpr IndexDefinition kIdIndexes[] = {{"PRIMARY", true, "id"}};

inline constexpr ColumnDefinition kPlanColumns[] = {
    {"task_id", "bigint", false},
    {"kind", "varchar(16)", false},
    {"after_step", "int", false},
    {"step", "int"},
    {"planner", "varchar(261)", false},
    {"token", "bigint", false},
    {"cursor", "longblob", false},
    {"next_ordinal", "int", false},
    {"complete", "tinyint", false},
    {"failed", "tinyint", false},
    {"retries", "int", false},
    {"error", "blob"},
    {"not_before", "bigint", false, "0"},
    {"created", "timestamp"},
    {"handed_back", "text"},
    {"cleans_up", "tinyint", false, "0"},
};
inline constexpr IndexDefinition kPlanIndexes[] = {
    {"PRIMARY", true, "task_id, kind, after_step"},
    {"uk_task_step", true, "task_id, step"},
    {"ix_planner", false, "planner, complete, failed"},
    {"ix_kind", false, "kind, complete, failed"},
};

inline constexpr ColumnDefinition kAttemptColumns[] = {
    {"subtask_id", "bigint", false},
    {"task_id", "bigint", false},
    {"abnormal_ends", "int", false, "0"},
    {"ends_alone", "int", false, "0"},
    {"last_token", "bigint", false, "0"},
    {"retries", "int", false, "0"},
    {"not_before", "bigint", false, "0"},
    {"last_error", "blob"},
    {"handed_back", "text"},
};
inline constexpr IndexDefinition kAttemptIndexes[] = {
    {"PRIMARY", true, "subtask_id"},
    {"ix_task", false, "task_id"},
};

// What became of tasks (exec_id empty) and nodes (task_id 0), and by whom.
inline constexpr ColumnDefinition kEventColumns[] = {
    {"task_id", "bigint", false},
    {"exec_id", "varchar(261)", false, "''"},
    {"seq", "bigint", false},
    {"at_ms", "bigint", false},
    {"event", "varchar(32)", false},
    {"subtask_id", "bigint", false, "0"},
    {"from_state", "varchar(64)", false, "''"},
    {"to_state", "varchar(64)", false, "''"},
    {"num_rows", "bigint", false, "0"},
    {"actor_kind", "varchar(16)", false},
    {"actor", "varchar(400)", false},
    {"reason", "varchar(1024)", false, "''"},
    {"archived_at", "bigint"},
};
inline constexpr IndexDefinition kEventIndexes[] = {
    {"PRIMARY", true, "task_id, exec_id, seq"},
    {"ix_archived", false, "archived_at"},
};

// The last lines that the latest run of a subtask logged; since version 2.
inline constexpr std::string_view kRunLogTable = "disttask_run_log";
inline constexpr ColumnDefinition kRunLogColumns[] = {
    {"subtask_id", "bigint", false},
    {"task_id", "bigint", false},
    {"token", "bigint", false},
    {"exec_id", "varchar(261)", false},
    {"written_ms", "bigint", false},
    {"num_earlier", "bigint", false, "0"},
    {"log_lines", "text", false},
};
inline constexpr IndexDefinition kRunLogIndexes[] = {
    {"PRIMARY", true, "subtask_id"},
    {"ix_written", false, "written_ms"},
};

inline constexpr ColumnDefinition kSchemaColumns[] = {
    {"id", "int", false},
    {"version", "int", false},
    {"changer", "bigint", false},
    {"renewals", "bigint", false},
    {"store_id", "varchar(64)", false, "''"},
};
/// Made first: its row is the lease of whoever changes the others.
inline constexpr TableDefinition kSchemaTable{"disttask_schema", kSchemaColumns, kIdIndexes};

inline constexpr TableDefinition kTables[] = {
    {"tidb_global_task", kTaskColumns, kTaskIndexes},
    {"tidb_global_task_history", kTaskColumns, kTaskIndexes},
    {"tidb_background_subtask", kSubtaskColumns, kSubtaskIndexes},
    {"tidb_background_subtask_history", kSubtaskColumns, kSubtaskHistoryIndexes},
    {"dist_framework_meta", kMetaColumns, kMetaIndexes},
    {"disttask_node", kNodeColumns, kNodeIndexes},
    {"disttask_owner", kOwnerColumns, kIdIndexes},
    {"disttask_owner_lease", kOwnerLeaseColumns, kIdIndexes},
    {"disttask_plan", kPlanColumns, kPlanIndexes},
    {"disttask_attempt", kAttemptColumns, kAttemptIndexes},
    {"disttask_event", kEventColumns, kEventIndexes},
    {kRunLogTable, kRunLogColumns, kRunLogIndexes},
};

/// A row that must be there; `insert` does nothing when it is.
struct SeedRow {
  std::string_view table;
  sqlclient::Sql insert;
};
inline constexpr SeedRow kSeedRows[] = {
    {"disttask_owner",
     {"schema.seed_owner",
      "insert into disttask_owner (id, exec_id, life, seq, term) values (1, '', 0, 0, 0) on duplicate key update id = "
      "id"}},
    {"disttask_owner_lease",
     {"schema.seed_owner_lease",
      "insert into disttask_owner_lease (id, life, renewals) values (1, 0, 0) on duplicate key update id = id"}},
};

// The ledger of bulk imports, on the server that the import writes to.
inline constexpr ColumnDefinition kLedgerColumns[] = {
    {"store_id", "varchar(64)", false},
    {"task_id", "bigint", false},
    {"step", "int", false},
    {"ordinal", "int", false},
    {"num_rows", "bigint", false, "0"},
    {"hash_sum", "decimal(65,0)", false, "0"},
    {"bad_records", "bigint", false, "0"},
    {"num_records", "bigint", false, "0"},
    {"num_bytes", "bigint", false, "0"},
    {"range_hash", "decimal(20,0)", false, "0"},
    {"note", "text"},
    {"done_at", "timestamp"},
};
inline constexpr IndexDefinition kLedgerIndexes[] = {{"PRIMARY", true, "store_id, task_id, step, ordinal"}};

/// TiDB lists a database only to those who have a right on the whole of it, its tables to those who may read them.
/// Binds: schema, schema.
inline constexpr sqlclient::Sql kFindDatabase{
    "schema.find_database",
    "select 1 from information_schema.schemata where schema_name = ?"
    " union all select 1 from information_schema.tables where table_schema = ? limit 1"};
inline constexpr sqlclient::Sql kFindTable{
    "schema.find_table", "select 1 from information_schema.tables where table_schema = database() and table_name = ?"};
inline constexpr sqlclient::Sql kListTables{
    "schema.list_tables",
    "select table_name, engine, table_collation from information_schema.tables where table_schema = ?"};
inline constexpr sqlclient::Sql kListColumns{
    "schema.list_columns",
    "select column_name, column_type, is_nullable, column_default, extra, collation_name from "
    "information_schema.columns "
    "where table_schema = ? and table_name = ? order by ordinal_position"};
inline constexpr sqlclient::Sql kListIndexes{
    "schema.list_indexes",
    "select index_name, non_unique, column_name from information_schema.statistics "
    "where table_schema = ? and table_name = ? order by index_name, seq_in_index"};

inline constexpr sqlclient::Sql kSeedSchemaRow{
    "schema.seed_schema",
    "insert into disttask_schema (id, version, changer, renewals, store_id) values (1, 0, 0, 0, uuid()) "
    "on duplicate key update id = id"};
inline constexpr sqlclient::Sql kReadSchemaRow{
    "schema.read", "select version, changer, renewals, store_id from disttask_schema where id = 1"};
inline constexpr sqlclient::Sql kTakeSchemaLease{
    "schema.take_lease",
    "update disttask_schema set changer = ?, renewals = renewals + 1 where id = 1 and changer = ? and renewals = ?"};
inline constexpr sqlclient::Sql kRenewSchemaLease{
    "schema.renew_lease", "update disttask_schema set renewals = renewals + 1 where id = 1 and changer = ?"};
inline constexpr sqlclient::Sql kReleaseSchemaLease{
    "schema.release_lease",
    "update disttask_schema set changer = 0, renewals = renewals + 1 where id = 1 and changer = ?"};
inline constexpr sqlclient::Sql kWriteVersion{
    "schema.write_version",
    "update disttask_schema set version = ?, store_id = if(store_id = '', uuid(), store_id) where id = 1 and changer = "
    "?"};
/// For a script: the version, once all is there.
inline std::string dumpSchemaRowText(std::int32_t version) {
  const auto number = std::to_string(version);
  return "insert into disttask_schema (id, version, changer, renewals, store_id) values (1, " + number +
         ", 0, 0, uuid()) on duplicate key update version = if(version < " + number + ", " + number + ", version)";
}

}  // namespace disttask::storage::mysql::statements
