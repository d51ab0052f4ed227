#include "disttask/base/json.hpp"
#include "disttask/proto/row_error.hpp"
#include "task_table_fixture.hpp"

#include "support/test_store.hpp"

namespace disttask::test {

namespace {

using sqlclient::Sql;
using sqlclient::Value;
using sqlclient::Values;

class MySqlFixture final : public TaskTableFixture {
 public:
  MySqlFixture() : connection_(store_.connect()), other_(store_.makeStore()) {}

  storage::TaskTable& table() override { return store_->taskTable(); }
  storage::TaskTable& other() override { return other_->taskTable(); }
  storage::TaskTable& shared() override {
    if (!shared_) {
      auto settings = store_.settings();
      settings.shared_with_dxf = true;
      shared_ = std::make_unique<storage::mysql::Store>(settings, runtime::systemClock());
    }
    return shared_->taskTable();
  }

  storage::RunLogTable& runLogs() override { return store_->runLogTable(); }
  void ageRunLog(SubtaskId id, std::chrono::seconds age) override {
    run("update disttask_run_log set written_ms=written_ms-? where subtask_id=?", {age.count() * 1000, id.value()});
  }

  TaskId insertTask(const proto::Task& task) override {
    run("insert into tidb_global_task (id, task_key, type, state, priority, create_time, meta, concurrency, step, "
        "target_scope, extra_params)"
        " values (?,?,?,?,?,from_unixtime(?),?,?,?,?,convert(? using utf8mb4))",
        {idOrNull(task.id.value()),
         task.key,
         task.type,
         std::string(toString(task.state)),
         num(task.priority),
         num(task.create_time == 0 ? 1'700'000'000 : task.create_time),
         task.meta,
         num(task.slots),
         num(task.step.value()),
         task.target_scope,
         toJson(task.extra)});
    if (task.id != TaskId{}) return task.id;
    return TaskId(number("select id from tidb_global_task where task_key=?", {task.key}));
  }
  SubtaskId insertSubtask(const proto::Subtask& subtask) override {
    const Value token = subtask.token == proto::RunToken{} ? Value(nullptr) : Value(subtask.token.value());
    run("insert into tidb_background_subtask (id, step, task_key, ddl_physical_tid, type, exec_id, state, checkpoint, "
        "concurrency, create_time,"
        " meta, ordinal, summary) values (?,?,?,?,0,?,?,'{}',?,current_timestamp(),?,?,convert(? using utf8mb4))",
        {idOrNull(subtask.id.value()),
         num(subtask.step.value()),
         proto::taskKeyOf(subtask.task_id),
         token,
         subtask.exec_id,
         std::string(toString(subtask.state)),
         num(subtask.slots),
         subtask.meta,
         num(subtask.ordinal),
         subtask.summary});
    if (subtask.id != SubtaskId{}) return subtask.id;
    return SubtaskId(number(
        "select id from tidb_background_subtask where task_key=? and step=? and ordinal=?",
        {proto::taskKeyOf(subtask.task_id), num(subtask.step.value()), num(subtask.ordinal)}
    ));
  }
  std::optional<proto::Subtask> row(SubtaskId id) override {
    auto rows = connection_->queryDynamic(
        "row",
        "select step, task_key, ddl_physical_tid, exec_id, state, concurrency, unix_timestamp(create_time), "
        "start_time, state_update_time,"
        " unix_timestamp(end_time), ordinal, meta, error, cast(summary as char) from tidb_background_subtask where "
        "id=?",
        {id.value()}
    );
    if (!rows.next()) return std::nullopt;
    proto::Subtask row;
    row.id = id;
    row.step = proto::Step(static_cast<std::int32_t>(rows.getInt(1)));
    row.task_id = TaskId(std::stoll(rows.getString(2)));
    row.token = proto::RunToken(rows.getInt(3));
    row.exec_id = rows.getString(4);
    row.state = proto::parseSubtaskState(rows.getString(5)).value();
    row.slots = static_cast<std::int32_t>(rows.getInt(6));
    row.create_time = rows.getInt(7);
    row.start_time = rows.getInt(8);
    row.state_update_time = rows.getInt(9);
    row.end_time = rows.getInt(10);
    row.ordinal = static_cast<std::int32_t>(rows.getInt(11));
    row.meta = rows.getString(12);
    if (!rows.isNull(13)) {
      // The contract wants a JSON object there, and readers of DXF fail on anything else.
      REQUIRE(Json::parse(rows.getString(13)).find("message") != nullptr);
      REQUIRE(rows.getString(13).size() <= proto::kMaxErrorBytes);
      row.error = proto::decodeRowError(rows.getString(13));
    }
    row.summary = rows.getString(14);
    return row;
  }
  std::string checkpoint(SubtaskId id) override {
    return text("select checkpoint from tidb_background_subtask where id=?", {id.value()});
  }
  AttemptRow attempt(SubtaskId id) override {
    AttemptRow attempt;
    auto rows = connection_->queryDynamic(
        "attempt",
        "select abnormal_ends, ends_alone, retries, not_before-floor(unix_timestamp(now(3))*1000), last_error, "
        "handed_back"
        " from disttask_attempt where subtask_id=?",
        {id.value()}
    );
    if (!rows.next()) return attempt;
    attempt.abnormal_ends = static_cast<std::int32_t>(rows.getInt(1));
    attempt.ends_alone = static_cast<std::int32_t>(rows.getInt(2));
    attempt.retries = static_cast<std::int32_t>(rows.getInt(3));
    attempt.wait_ms = rows.getInt(4);
    attempt.last_error = proto::decodeRowError(rows.getString(5));
    if (!rows.isNull(6)) {
      const auto nodes = Json::parse(rows.getString(6));
      for (const auto& node : nodes.asArray()) attempt.handed_back.push_back(node.asString());
    }
    return attempt;
  }
  std::optional<MetaRow> meta(const std::string& host) override {
    auto rows =
        connection_->queryDynamic("meta", "select role, cpu_count from dist_framework_meta where host=?", {host});
    if (!rows.next()) return std::nullopt;
    return MetaRow{rows.getString(1), static_cast<std::int32_t>(rows.getInt(2))};
  }

  void setExecId(SubtaskId id, const std::string& exec_id) override { set("exec_id", exec_id, id); }
  void setState(SubtaskId id, SubtaskState state) override { set("state", std::string(toString(state)), id); }
  void setToken(SubtaskId id, std::optional<std::int64_t> token) override {
    set("ddl_physical_tid", token ? Value(*token) : Value(nullptr), id);
  }
  void setStep(SubtaskId id, std::int32_t step) override { set("step", num(step), id); }
  void setOrdinal(SubtaskId id, std::int32_t ordinal) override { set("ordinal", num(ordinal), id); }
  void setTask(SubtaskId id, TaskId task_id) override { set("task_key", proto::taskKeyOf(task_id), id); }
  void remove(SubtaskId id) override { run("delete from tidb_background_subtask where id=?", {id.value()}); }
  void setWait(SubtaskId id, std::int64_t ms_from_now) override {
    run("insert into disttask_attempt (subtask_id, task_id, not_before) values (?, 0, "
        "floor(unix_timestamp(now(3))*1000)+?)"
        " on duplicate key update not_before=values(not_before)",
        {id.value(), ms_from_now});
  }

 private:
  static Value num(std::int64_t value) { return value; }
  static Value idOrNull(std::int64_t id) { return id == 0 ? Value(nullptr) : Value(id); }
  void run(const std::string& text, const Values& values) { connection_->updateDynamic("fixture", text, values); }
  void set(const std::string& column, const Value& value, SubtaskId id) {
    run("update tidb_background_subtask set " + column + "=? where id=?", {value, id.value()});
  }
  std::int64_t number(const std::string& query, const Values& values) {
    auto rows = connection_->queryDynamic("fixture", query, values);
    REQUIRE(rows.next());
    return rows.getInt(1);
  }
  std::string text(const std::string& query, const Values& values) {
    auto rows = connection_->queryDynamic("fixture", query, values);
    REQUIRE(rows.next());
    return rows.getString(1);
  }

  TestStore store_;
  std::unique_ptr<sqlclient::Connection> connection_;
  std::unique_ptr<storage::mysql::Store> other_;
  std::unique_ptr<storage::mysql::Store> shared_;
};

}  // namespace

std::unique_ptr<TaskTableFixture> makeFixture() {
  return std::make_unique<MySqlFixture>();
}

}  // namespace disttask::test
