#include "dxf_tables.hpp"

namespace disttask::test {

namespace {

constexpr const char* kCharset = ") default charset=utf8mb4 collate=utf8mb4_bin";

std::string taskTable(const std::string& name, DxfVersion version) {
  std::string sql = "create table " + name +
                    " (id bigint(20) not null auto_increment primary key, task_key varchar(256) not null,"
                    " type varchar(256) not null, dispatcher_id varchar(261), state varchar(64) not null,"
                    " priority int default 1, create_time timestamp null, start_time timestamp null,"
                    " state_update_time timestamp null, end_time timestamp null, meta longblob, concurrency int(11),"
                    " step int(11), target_scope varchar(256) default '', error blob,";
  if (version == DxfVersion::kNewer) {
    sql +=
        " modify_params json, max_node_count int default 0, extra_params json, keyspace varchar(64) default '',"
        " key idx_keyspace(keyspace),";
  }
  return sql + " key(state), unique key task_key(task_key)" + kCharset;
}

std::string subtaskTable(const std::string& name, bool summary, const std::string& keys) {
  return "create table " + name +
         " (id bigint not null auto_increment primary key, step int, namespace varchar(256), task_key varchar(256),"
         " ddl_physical_tid bigint(20), type int, exec_id varchar(261), exec_expired timestamp null,"
         " state varchar(64) not null, checkpoint longblob not null, concurrency int, create_time timestamp null,"
         " start_time bigint, state_update_time bigint, end_time timestamp null, meta longblob, ordinal int, error "
         "blob," +
         (summary ? " summary json," : "") + keys + kCharset;
}

}  // namespace

std::vector<std::string> dxfTablesSql(DxfVersion version, const std::string& schema) {
  return {
      taskTable(schema + "tidb_global_task", version),
      taskTable(schema + "tidb_global_task_history", version),
      subtaskTable(
          schema + "tidb_background_subtask",
          true,
          " key idx_task_key(task_key), key idx_exec_id(exec_id),"
          " unique key uk_task_key_step_ordinal(task_key, step, ordinal)"
      ),
      subtaskTable(
          schema + "tidb_background_subtask_history",
          version != DxfVersion::k81,
          " key idx_task_key(task_key), key idx_state_update_time(state_update_time)"
      ),
      "create table " + schema +
          "dist_framework_meta (host varchar(261) not null primary key, role varchar(64), cpu_count int default 0,"
          " keyspace_id bigint(8) not null default -1" +
          kCharset};
}

DxfTables::DxfTables(DxfVersion version) {
  for (const auto& sql : dxfTablesSql(version)) execute(sql);
}

DxfTables::~DxfTables() {
  try {
    execute("drop database if exists `" + side() + "`");
  } catch (const std::exception&) {
    return;
  }
}

storage::mysql::StoreSettings DxfTables::settings() const {
  auto settings = tables_.settings();
  settings.side_schema = side();
  return settings;
}

std::unique_ptr<storage::mysql::Store> DxfTables::makeStore() const {
  return std::make_unique<storage::mysql::Store>(settings(), runtime::systemClock());
}

std::string DxfTables::definition() const {
  const auto connection = tables_.connect();
  std::string text;
  for (const auto* sql :
       {"select concat_ws(' ', table_name, column_name, ordinal_position, column_type, is_nullable, column_default, "
        "extra)"
        " from information_schema.columns where table_schema=database() order by table_name, ordinal_position",
        "select concat_ws(' ', table_name, index_name, column_name, seq_in_index) from information_schema.statistics"
        " where table_schema=database() order by table_name, index_name, seq_in_index"}) {
    auto rows = connection->queryDynamic("definition", sql, {});
    while (rows.next()) text += rows.getString(1) + "\n";
  }
  return text;
}

}  // namespace disttask::test
