#include "tidb_live.hpp"

#include "disttask/base/random.hpp"
#include "disttask/storage/mysql/store.hpp"

#include "support/test_store.hpp"
#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <cstdlib>

namespace disttask::test {
namespace {

/// TiDB's cleaner moves ended tasks and their rows away when it likes.
std::string rowsSql(const std::string& columns, const std::string& table, const std::string& where) {
  return fmt::format(
      "(select {0} from mysql.{1} x where {2} union all select {0} from mysql.{1}_history x where {2})",
      columns,
      table,
      where
  );
}

}  // namespace

bool LiveTiDb::isThere() {
  return std::getenv("DISTTASK_TEST_DXF_CONTROL") != nullptr;
}

LiveTiDb::LiveTiDb() {
  scope_ = "s" + cluster_.schema().substr(cluster_.schema().size() - 12);
  base_port_ = 20'000 + static_cast<int>(randomBelow(20'000)) * 2;
  storage::mysql::StoreSettings settings;
  settings.connect = testConnectSettings();
  settings.schema = "mysql";
  settings.side_schema = cluster_.schema();
  storage::mysql::Store store(settings, runtime::systemClock());
  static_cast<void>(store.schema().install({}));
}

LiveTiDb::~LiveTiDb() {
  try {
    cluster_.execute("delete from mysql.dist_framework_meta where role='" + scope_ + "'");
  } catch (const std::exception&) {
    return;
  }
}

std::string LiveTiDb::idOf(int number) const {
  return fmt::format("ours.test:{}", base_port_ + number);
}

NodeProcess LiveTiDb::startNode(int number, const std::string& more) {
  return cluster_.startReady({.id = idOf(number), .slots = 4, .beside_tidb = scope_, .more = more});
}

std::string LiveTiDb::get(const std::string& path, const std::map<std::string, std::string>& query) const {
  const auto* control = std::getenv("DISTTASK_TEST_DXF_CONTROL");
  std::vector<std::string> words{"curl", "-sS", "--fail-with-body", "--get"};
  for (const auto& [name, value] : query) {
    words.emplace_back("--data-urlencode");
    words.push_back(name + "=" + value);
  }
  words.push_back(fmt::format("http://{}/{}", control, path));
  const auto answer = runProgram(words);
  if (answer.exit_code != 0) FAIL("control of TiDB, " << path << ": " << answer.err << answer.out);
  return answer.out;
}

std::string LiveTiDb::submit(const std::string& key, const std::string& meta, bool ours) const {
  const auto answer =
      get("submit", {{"key", keyOf(key)}, {"meta", meta}, {"scope", ours ? scope_ : ""}, {"concurrency", "2"}});
  return std::to_string(Json::parse(answer).find("task")->asInt());
}

void LiveTiDb::ask(const std::string& what, const std::string& key) const {
  static_cast<void>(get(what, {{"key", keyOf(key)}}));
}

void LiveTiDb::awaitState(const std::string& task, const std::string& state) const {
  std::string seen;
  const bool there = eventually(std::chrono::seconds(60), [&] {
    seen = scalar("select state from " + rowsSql("state", "tidb_global_task", "id=" + task) + " r limit 1");
    return seen == state;
  });
  if (!there) FAIL("task " << task << " is " << seen << ", not " << state << "; rows:\n" << rowsOf(task));
}

std::string LiveTiDb::count(const std::string& task, const std::string& state) const {
  return scalar(
      "select count(distinct id) from " +
      rowsSql("id", "tidb_background_subtask", "task_key='" + task + "' and state='" + state + "'") + " r"
  );
}

std::string LiveTiDb::rowsOf(const std::string& task) const {
  const auto set = [](const std::string& column) { return "if(" + column + " is null,'" + column + " null','set')"; };
  const std::string task_columns =
      "id, concat_ws('|', type, ifnull(dispatcher_id,''), state, priority, concurrency, step, ifnull(cast(error as "
      "char),'null')," +
      set("create_time") + "," + set("start_time") + "," + set("state_update_time") + "," + set("end_time") +
      ") as line";
  const std::string subtask_columns =
      "id, step, ordinal, concat_ws('|', step, ifnull(namespace,'null'), type, ifnull(exec_expired,'null'), state,"
      " cast(checkpoint as char), concurrency, cast(meta as char), ordinal, ifnull(cast(error as char),'null')," +
      set("create_time") + "," + set("start_time") + "," + set("state_update_time") + "," + set("end_time") +
      ") as line";
  return scalar(
             "select group_concat(distinct line) from " + rowsSql(task_columns, "tidb_global_task", "id=" + task) + " r"
         ) +
         "\n" +
         scalar(
             "select group_concat(line order by step, ordinal separator '\\n') from (select distinct * from " +
             rowsSql(subtask_columns, "tidb_background_subtask", "task_key='" + task + "'") + " q) r"
         );
}

}  // namespace disttask::test
