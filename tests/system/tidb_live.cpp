#include "tidb_live.hpp"

#include "disttask/base/random.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

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

std::string controlOfEnvironment() {
  const auto* control = std::getenv("DISTTASK_TEST_DXF_CONTROL");
  return control == nullptr ? std::string() : control;
}

}  // namespace

OwnTiDb::OwnTiDb(std::string script) : script_(std::move(script)) {
  start();
}

OwnTiDb::~OwnTiDb() {
  static_cast<void>(runProgram({script_, "remove", path()}));
}

void OwnTiDb::start() const {
  const auto result = runProgram({script_, "start", path(), "--dxf", "--slots", "16"}, {}, std::chrono::seconds(300));
  if (result.exit_code != 0) FAIL("TiDB does not start: " << result.err);
}

void OwnTiDb::stop() const {
  const auto result = runProgram({script_, "stop", path()}, {}, std::chrono::seconds(120));
  if (result.exit_code != 0) FAIL("TiDB does not stop: " << result.err);
}

std::string OwnTiDb::control() const {
  const std::string word = "control ";
  const auto text = readFile(path() + "/out");
  const auto at = text.find(word);
  if (at == std::string::npos) FAIL("TiDB has no control: " << text);
  return text.substr(at + word.size(), text.find('\n', at) - at - word.size());
}

bool LiveTiDb::isThere() {
  return !controlOfEnvironment().empty();
}

LiveTiDb::LiveTiDb() : LiveTiDb("", controlOfEnvironment) {}

LiveTiDb::LiveTiDb(const OwnTiDb& own) : LiveTiDb(own.socket(), [&own] { return own.control(); }) {}

LiveTiDb::LiveTiDb(const std::string& socket, std::function<std::string()> control)
    : cluster_(socket), control_(std::move(control)) {
  scope_ = "s" + cluster_.schema().substr(cluster_.schema().size() - 12);
  base_port_ = 20'000 + static_cast<int>(randomBelow(20'000)) * 2;
  static_cast<void>(cluster_.writeConfig(optionsOf(1, {})));
  const auto installed = ctl({"schema", "install"});
  if (installed.exit_code != 0) FAIL("schema install: " << installed.err);
}

LiveTiDb::~LiveTiDb() {
  // A task without a node would keep TiDB's balancer from all tasks behind it.
  const auto tasks = "select cast(id as char) from mysql.tidb_global_task where target_scope='" + scope_ + "'";
  for (const auto& sql :
       {"update mysql.tidb_global_task set state='cancelling' where state in ('pending','running','pausing','paused',"
        "'resuming') and target_scope='" +
            scope_ + "'",
        "update mysql.tidb_background_subtask set state='canceled' where state in ('pending','running','paused') and "
        "task_key in (" +
            tasks + ")",
        "delete from mysql.dist_framework_meta where role='" + scope_ + "' and host like 'ours.test:%'"}) {
    try {
      execute(sql);
    } catch (const std::exception&) {
      return;
    }
  }
}

std::string LiveTiDb::idOf(int number) const {
  return fmt::format("ours.test:{}", base_port_ + number);
}

NodeOptions LiveTiDb::optionsOf(int number, const std::string& more) const {
  return {.id = idOf(number), .slots = 16, .beside_tidb = scope_, .more = more};
}

NodeProcess LiveTiDb::startNode(int number, const std::string& more) {
  return cluster_.startReady(optionsOf(number, more));
}

NodeProcess LiveTiDb::startNodeAs(int number, const std::string& user) {
  auto options = optionsOf(number, {});
  options.user = user;
  return cluster_.startReady(options);
}

CtlResult LiveTiDb::ctlAs(const std::string& user, std::vector<std::string> words) const {
  auto address = cluster_.storeAddress();
  const std::string begin = "mysql://";
  address.replace(begin.size(), address.find('@') - begin.size(), user);
  const auto schema = address.find(cluster_.schema());
  address.erase(schema, cluster_.schema().size());
  words.insert(words.begin(), {DISTTASKCTL, "--store", address, "--schema", "mysql"});
  return runProgram(words, {{"DISTTASK_STORE", ""}, {"DISTTASK_PASSWORD", ""}}, std::chrono::seconds(100));
}

CtlResult LiveTiDb::ctl(const std::vector<std::string>& words) const {
  std::vector<std::string> all{DISTTASKCTL, "--config", (cluster_.folder() / (idOf(1) + ".yaml")).string()};
  all.insert(all.end(), words.begin(), words.end());
  return runProgram(all, {{"DISTTASK_STORE", ""}, {"DISTTASK_PASSWORD", ""}}, std::chrono::seconds(100));
}

std::string LiveTiDb::get(const std::string& path, const std::map<std::string, std::string>& query) const {
  std::vector<std::string> words{"curl", "-sS", "--fail-with-body", "--get"};
  for (const auto& [name, value] : query) {
    words.emplace_back("--data-urlencode");
    words.push_back(name + "=" + value);
  }
  words.push_back(fmt::format("http://{}/{}", control_(), path));
  const auto answer = runProgram(words);
  if (answer.exit_code != 0) FAIL("control of TiDB, " << path << ": " << answer.err << answer.out);
  return answer.out;
}

std::string LiveTiDb::submit(const std::string& key, const LiveTask& task) const {
  const auto answer =
      get("submit",
          {{"key", keyOf(key)},
           {"meta", task.meta},
           {"scope", task.ours ? scope_ : ""},
           {"type", task.type},
           {"concurrency", "2"}});
  return std::to_string(Json::parse(answer).find("task")->asInt());
}

void LiveTiDb::ask(const std::string& what, const std::string& key) const {
  static_cast<void>(get(what, {{"key", keyOf(key)}}));
}

void LiveTiDb::awaitState(const std::string& task, const std::string& state) const {
  std::string seen;
  const bool there = eventually(std::chrono::seconds(90), [&] {
    seen = scalar("select state from " + rowsSql("state", "tidb_global_task", "id=" + task) + " r limit 1");
    return seen == state;
  });
  if (!there) FAIL("task " << task << " is " << seen << ", not " << state << "; rows:\n" << rowsOf(task));
}

void LiveTiDb::awaitSubtask(const std::string& task, const std::string& state) const {
  if (eventually([&] { return count(task, state) != "0"; })) return;
  FAIL("task " << task << " has no " << state << " subtask; rows:\n" << rowsOf(task));
}

std::string LiveTiDb::count(const std::string& task, const std::string& state) const {
  return scalar(
      "select count(distinct id) from " +
      rowsSql("id", "tidb_background_subtask", "task_key='" + task + "' and state='" + state + "'") + " r"
  );
}

std::string LiveTiDb::countNodes(const std::string& task, bool ours) const {
  return scalar(
      "select count(distinct exec_id) from " +
      rowsSql(
          "exec_id",
          "tidb_background_subtask",
          "task_key='" + task + "' and exec_id " + (ours ? "" : "not ") + "like 'ours.test:%'"
      ) +
      " r"
  );
}

bool LiveTiDb::isRegistered(int number) const {
  return scalar("select count(*) from mysql.dist_framework_meta where host='" + idOf(number) + "'") == "1";
}

std::string LiveTiDb::linesOf(
    const std::string& table, const std::string& where, const std::string& order, const std::string& unlike
) const {
  // Of the tables as they are, so that no column of any version is forgotten; those of time tell when, not what.
  const auto columns = cluster_.column(
      "select column_name from information_schema.columns where table_schema='mysql' and table_name='" + table +
      "' and column_name not in (" + unlike + ") order by ordinal_position"
  );
  REQUIRE(columns.size() > 10);
  std::string line = "concat(" + order;
  for (const auto& column : columns) {
    const bool is_time = column.size() > 5 && column.rfind("_time") == column.size() - 5;
    line += fmt::format(
        ", ' {0}=', if({0} is null,'null',{1})", column, is_time ? "'set'" : "cast(" + column + " as char)"
    );
  }
  line += ") as line";
  std::string lines;
  for (const auto& each : cluster_.column(fmt::format(
           "select {0} from mysql.{1} where {2} union select {0} from mysql.{1}_history where {2} order by line",
           line,
           table,
           where
       ))) {
    lines += each + "\n";
  }
  return lines;
}

std::string LiveTiDb::rowsOf(const std::string& task) const {
  return linesOf("tidb_global_task", "id=" + task, "'task'", "'id','task_key','target_scope'") +
         linesOf(
             "tidb_background_subtask",
             "task_key='" + task + "'",
             "lpad(step,3,'0'), '/', lpad(ordinal,5,'0')",
             "'id','task_key','exec_id','ddl_physical_tid'"
         );
}

}  // namespace disttask::test
