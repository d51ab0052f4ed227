// The tables of a live TiDB, of three versions, used as they are (contract 1.6).
#include "disttask/base/failpoint.hpp"
#include "dxf_dialect.hpp"
#include "dxf_tables.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using Catch::Contains;
using proto::Life;
using proto::SubtaskState;
using test::DxfTables;
using test::DxfVersion;

namespace {

const std::string kNode = "db-7:7001";

proto::Node makeNode(std::int64_t life) {
  proto::Node node;
  node.exec_id = kNode;
  node.life = Life(life);
  node.role = "ext";
  node.slots = 8;
  return node;
}

void addTask(const DxfTables& tables, int id, const std::string& state, const std::string& type = "Example") {
  const auto text = std::to_string(id);
  tables.execute(
      "insert into tidb_global_task (id, task_key, type, state, priority, create_time, meta, concurrency, step,"
      " target_scope) values (" +
      text + ", 'key-" + text + "', '" + type + "', '" + state + "', 512, current_timestamp(), '{}', 2, 1, 'ext')"
  );
}

void addSubtask(const DxfTables& tables, int task, int ordinal, const std::string& state, const std::string& node) {
  tables.execute(
      "insert into tidb_background_subtask (id, step, task_key, type, exec_id, state, checkpoint, concurrency,"
      " create_time, meta, ordinal, summary) values (" +
      std::to_string(task * 100 + ordinal) + ", 1, '" + std::to_string(task) + "', 1, '" + node + "', '" + state +
      "', '{}', 2, current_timestamp(), '{\"i\":1}', " + std::to_string(ordinal) + ", '{}')"
  );
}

std::string refusalOf(const std::function<void()>& act, ErrorCode expected) {
  try {
    act();
  } catch (const Exception& e) {
    CHECK(e.error().code() == expected);
    return e.error().message();
  }
  FAIL("nothing was refused");
  return {};
}

}  // namespace

TEST_CASE("A node works on the tables of every version of TiDB and changes no definition", "[db][mysql_schema]") {
  const auto version = GENERATE(DxfVersion::k81, DxfVersion::k85, DxfVersion::kNewer);
  DxfTables tables(version);
  const auto definition = tables.definition();
  auto store = tables.makeStore();
  REQUIRE_FALSE(store->schema().install({}).empty());
  CHECK(store->schema().install({}).empty());
  CHECK(store->schema().status({}).problems.empty());
  store->schema().check({});
  CHECK(store->storeId({}).size() > 8);

  REQUIRE(store->nodeTable().registerNode({}, makeNode(11), std::nullopt));
  CHECK(tables.scalar("select concat(role, ' ', cpu_count, ' ', keyspace_id) from dist_framework_meta") == "ext 8 -1");
  CHECK_FALSE(store->pollTable().poll({}, kNode).has_subtasks);
  addTask(tables, 1, "running");
  for (int i = 1; i <= 3; ++i) addSubtask(tables, 1, i, "pending", kNode);
  addSubtask(tables, 1, 4, "pending", "other:4000");
  addTask(tables, 2, "modifying");
  addSubtask(tables, 2, 1, "pending", kNode);
  const auto seen = store->pollTable().poll({}, kNode);
  CHECK(seen.life == Life(11));
  CHECK(seen.meta_slots == 8);
  CHECK(seen.has_subtasks);

  auto& table = store->taskTable();
  const auto work = table.getTaskExecInfoByExecId({}, kNode);
  REQUIRE(work.size() == 1);  // a task that is being modified is left alone
  CHECK(work.front().task.key == "key-1");
  CHECK(work.front().task.target_scope == "ext");
  CHECK(work.front().task.max_nodes == 0);
  CHECK(work.front().subtask_slots == 2);
  storage::PickLimits limits;
  limits.rows = 2;
  const auto picked = table.getSubtasksByExecIdAndStepAndStates(
      {}, kNode, proto::TaskId(1), proto::Step(1), {SubtaskState::kPending}, limits
  );
  REQUIRE(picked.size() == 2);
  CHECK(picked.front().ordinal == 1);
  limits.rows = 9;
  limits.after_ordinal = 2;
  const auto after = table.getSubtasksByExecIdAndStepAndStates(
      {}, kNode, proto::TaskId(1), proto::Step(1), {SubtaskState::kPending}, limits
  );
  REQUIRE(after.size() == 1);
  CHECK(after.front().ordinal == 3);

  CHECK(table.startSubtask({}, picked[0], kNode, true) == proto::TransitionOutcome::kApplied);
  CHECK(table.startSubtask({}, picked[1], kNode, true) == proto::TransitionOutcome::kApplied);
  CHECK(
      table.finishSubtask({}, kNode, picked[0].id, "{\"i\":1}", R"({"row_count":5})") ==
      proto::TransitionOutcome::kApplied
  );
  CHECK(
      table.updateSubtaskStateAndError(
          {}, kNode, picked[1].id, SubtaskState::kFailed, Error(ErrorCode::kInternal, "x")
      ) == proto::TransitionOutcome::kApplied
  );
  CHECK(
      tables.scalar("select group_concat(state order by id) from tidb_background_subtask") ==
      "succeed,failed,pending,pending,pending"
  );

  // As TiDB's scheduler moves an ended task.
  tables.execute("insert into tidb_global_task_history select * from tidb_global_task where id=1");
  tables.execute(
      "insert into tidb_background_subtask_history (id, step, task_key, state, checkpoint, ordinal)"
      " values (901, 1, '1', 'succeed', '{}', 9)"
  );
  auto& client = store->clientTable();
  CHECK(client.listTasks({}, {}).size() == 2);
  CHECK(client.findTaskByKey({}, "key-1"));
  CHECK(client.getProgress({}, proto::TaskId(1)).front().sum.row_count == 5);
  CHECK(client.listSubtasks({}, proto::TaskId(1), std::nullopt, 10).size() == 5);
  CHECK(tables.definition() == definition);
}

TEST_CASE("Rows in the tables of a live TiDB are left as its own executor leaves them", "[db][mysql_schema]") {
  const auto version = GENERATE(DxfVersion::k81, DxfVersion::k85, DxfVersion::kNewer);
  DxfTables tables(version);
  auto store = tables.makeStore();
  static_cast<void>(store->schema().install({}));
  addTask(tables, 1, "running");
  for (int i = 1; i <= 6; ++i) addSubtask(tables, 1, i, "pending", kNode);
  addSubtask(tables, 1, 7, "pending", "other:4000");
  addSubtask(tables, 1, 8, "running", "other:4000");
  auto& table = store->taskTable();
  const auto picked = table.getSubtasksByExecIdAndStepAndStates(
      {}, kNode, proto::TaskId(1), proto::Step(1), {SubtaskState::kPending}, {}
  );
  REQUIRE(picked.size() == 6);
  for (int i = 0; i < 5; ++i) {
    // The last one may not run twice.
    REQUIRE(
        table.startSubtask({}, picked[static_cast<std::size_t>(i)], kNode, i != 4) == proto::TransitionOutcome::kApplied
    );
  }
  const std::string summary = R"({"row_count":5,"bytes":9,"read_bytes":0,"get_request_count":0,"put_request_count":0})";
  CHECK(table.updateSubtaskSummary({}, kNode, picked[0].id, summary) == proto::TransitionOutcome::kApplied);
  CHECK(table.finishSubtask({}, kNode, picked[0].id, "{}", summary) == proto::TransitionOutcome::kApplied);
  const auto results = table.writeRuns({}, kNode, {storage::RunFinish{picked[1].id, "{}", summary}});
  CHECK(results.front().outcome == proto::TransitionOutcome::kApplied);
  const auto end = [&](int index, SubtaskState state, const std::optional<Error>& error) {
    CHECK(
        table.updateSubtaskStateAndError({}, kNode, picked[static_cast<std::size_t>(index)].id, state, error) ==
        proto::TransitionOutcome::kApplied
    );
  };
  end(2, SubtaskState::kFailed, Error(ErrorCode::kInternal, "x"));
  end(3, SubtaskState::kPaused, std::nullopt);
  // Another process of this node finds the row that may not run twice.
  CHECK(tables.makeStore()->taskTable().takeOrphans({}, kNode, proto::TaskId(1), 3).size() == 1);
  tables.execute("update tidb_global_task set state='pausing'");
  CHECK(table.pauseSubtasks({}, kNode, proto::TaskId(1)) == 1);
  const auto shown = [&](int ordinal) {
    return tables.scalar(
        "select concat(state, if(start_time is null, '', ' begun'), if(state_update_time is null, '', ' changed'),"
        " if(end_time is null, '', ' ended'), if(error is null, '', ' error')) from tidb_background_subtask where "
        "ordinal=" +
        std::to_string(ordinal)
    );
  };
  CHECK(shown(1) == "succeed begun changed ended");
  CHECK(shown(2) == "succeed begun changed ended");
  CHECK(shown(3) == "failed begun changed error");
  CHECK(shown(4) == "paused begun changed");
  CHECK(shown(5) == "failed begun changed error");
  CHECK(shown(6) == "paused");
  CHECK(shown(7) == "pending");
  CHECK(shown(8) == "running");
  for (const auto* ordinal : {"1", "2"}) {
    const std::string kept = "select json_length(summary) from tidb_background_subtask where ordinal=";
    CHECK(tables.scalar(kept + ordinal) == (version == DxfVersion::kNewer ? "5" : "1"));
    CHECK(
        tables.scalar(
            std::string(
                "select cast(json_extract(summary, '$.row_count') as char) from tidb_background_subtask where ordinal="
            ) +
            ordinal
        ) == "5"
    );
  }
  CHECK(table.cancelSubtask({}, kNode, proto::TaskId(1)) == 0);
  addSubtask(tables, 1, 9, "pending", kNode);
  CHECK(table.cancelSubtask({}, kNode, proto::TaskId(1)) == 1);
  CHECK(shown(9) == "canceled begun changed ended");
}

TEST_CASE("A node that stops leaves TiDB's register, and no wish is taken for it", "[db][mysql_schema]") {
  DxfTables tables(DxfVersion::k85);
  auto store = tables.makeStore();
  static_cast<void>(store->schema().install({}));
  auto& nodes = store->nodeTable();
  REQUIRE(nodes.registerNode({}, makeNode(11), std::nullopt));
  tables.execute("insert into dist_framework_meta (host, role, cpu_count) values ('other:4000', '', 8)");
  CHECK_THAT(
      refusalOf(
          [&] {
            static_cast<void>(nodes.setWish({}, kNode, {proto::WantedState::kCordoned, std::nullopt, ""}));
          },
          ErrorCode::kUnsupported
      ),
      Contains("stop its daemon instead")
  );
  CHECK_FALSE(nodes.release({}, kNode, Life(12)));
  CHECK(tables.scalar("select count(*) from dist_framework_meta") == "2");
  CHECK(nodes.release({}, kNode, Life(11)));
  CHECK(tables.scalar("select group_concat(host) from dist_framework_meta") == "other:4000");
}

TEST_CASE(
    "Attempts of tasks that TiDB has moved away are deleted, and its history is left to it", "[db][mysql_schema]"
) {
  DxfTables tables(DxfVersion::k81);
  auto store = tables.makeStore();
  static_cast<void>(store->schema().install({}));
  addTask(tables, 1, "running");
  tables.execute("insert into tidb_global_task_history select * from tidb_global_task");
  const auto side = "`" + tables.side() + "`.disttask_attempt";
  tables.execute("insert into " + side + " (subtask_id, task_id) values (101, 1), (201, 2), (202, 2), (301, 3)");
  auto& history = store->historyTable();
  CHECK(history.forgetAttempts({}, 2) == 2);
  CHECK(history.forgetAttempts({}, 2) == 1);
  CHECK(history.forgetAttempts({}, 2) == 0);
  CHECK(tables.scalar("select group_concat(subtask_id) from " + side) == "101");
  CHECK_THAT(
      refusalOf(
          [&] { static_cast<void>(history.forgetSubtasks({}, std::nullopt, std::chrono::hours(1), 9)); },
          ErrorCode::kUnsupported
      ),
      Contains("the history of a live TiDB is its own")
  );
}

TEST_CASE("What a node of a live TiDB has that is gone is listed by task, beside the register", "[db][mysql_schema]") {
  DxfTables tables(DxfVersion::k85);
  auto store = tables.makeStore();
  static_cast<void>(store->schema().install({}));
  REQUIRE(store->nodeTable().registerNode({}, makeNode(11), std::nullopt));
  tables.execute("insert into dist_framework_meta (host, role, cpu_count) values ('a:4000', '', 4)");
  addTask(tables, 1, "running");
  addSubtask(tables, 1, 1, "running", kNode);
  addSubtask(tables, 1, 2, "pending", kNode);
  addSubtask(tables, 1, 3, "pending", kNode);
  addSubtask(tables, 1, 4, "succeed", kNode);
  addSubtask(tables, 1, 5, "pending", "a:4000");
  addSubtask(tables, 2, 1, "pending", kNode);
  const auto held = store->health().listTasksOfNode({}, kNode, 10);
  REQUIRE(held.size() == 2);
  CHECK(held[0].task_key == "key-1");
  CHECK(held[0].state == "running");
  CHECK(held[0].scope == "ext");
  CHECK(held[0].running == 1);
  CHECK(held[0].pending == 2);
  CHECK(held[1].state.empty());
  CHECK(held[1].pending == 1);
  const auto hosts = store->health().listRegistered({}, 10);
  REQUIRE(hosts.size() == 2);
  CHECK(hosts[0].host == "a:4000");
  CHECK(hosts[1].slots == 8);
}

TEST_CASE("The shape of TiDB's tables is read column by column", "[db][mysql_schema]") {
  const auto shapeOf = [](DxfVersion version) {
    DxfTables tables(version);
    auto connect = tables.settings().connect;
    return storage::mysql::DxfDialect(tables.settings().schema, connect).shape();
  };
  CHECK(shapeOf(DxfVersion::k81) == storage::mysql::DxfShape{false, false, false, false});
  CHECK(shapeOf(DxfVersion::k85) == storage::mysql::DxfShape{false, false, false, true});
  CHECK(shapeOf(DxfVersion::kNewer) == storage::mysql::DxfShape{true, true, true, true});
  // Between two versions: tasks can be modified, and no more than that is new.
  DxfTables tables(DxfVersion::k85);
  for (const auto* table : {"tidb_global_task", "tidb_global_task_history"})
    tables.execute(std::string("alter table ") + table + " add modify_params json after error");
  storage::mysql::DxfDialect dialect(tables.settings().schema, tables.settings().connect);
  CHECK(dialect.shape() == storage::mysql::DxfShape{true, false, false, true});
  auto store = tables.makeStore();
  static_cast<void>(store->schema().install({}));
  addTask(tables, 1, "running");
  addSubtask(tables, 1, 1, "pending", kNode);
  const auto work = store->taskTable().getTaskExecInfoByExecId({}, kNode);
  REQUIRE(work.size() == 1);
  CHECK(work.front().task.max_nodes == 0);
  CHECK(store->clientTable().getProgress({}, proto::TaskId(1)).size() == 1);
}

TEST_CASE("What is no table of a TiDB is refused in one sentence", "[db][mysql_schema]") {
  DxfTables tables(DxfVersion::k85);
  auto store = tables.makeStore();
  static_cast<void>(store->schema().install({}));
  const auto refusal = [&] {
    return refusalOf([&] { tables.makeStore()->schema().check({}); }, ErrorCode::kStoreSchema);
  };
  SECTION("a table is missing") {
    tables.execute("drop table dist_framework_meta");
    CHECK_THAT(refusal(), Contains("has no table dist_framework_meta"));
  }
  SECTION("a column is missing") {
    tables.execute("alter table tidb_background_subtask drop column summary");
    CHECK_THAT(refusal(), Contains("has a table tidb_background_subtask without column summary"));
  }
  SECTION("an index is missing") {
    tables.execute("alter table tidb_background_subtask drop index idx_exec_id");
    CHECK_THAT(refusal(), Contains("has a table tidb_background_subtask without index idx_exec_id"));
  }
  SECTION("an index is another one") {
    const auto index = [&](const char* sql) {
      tables.execute("alter table tidb_background_subtask drop index uk_task_key_step_ordinal");
      tables.execute(sql);
    };
    const auto* const wanted =
        "whose index uk_task_key_step_ordinal is not unique on (task_key, step, ordinal): expected the tables of a "
        "TiDB";
    index("alter table tidb_background_subtask add unique key uk_task_key_step_ordinal (task_key, ordinal, step)");
    CHECK_THAT(refusal(), Contains(wanted));
    index("alter table tidb_background_subtask add key uk_task_key_step_ordinal (task_key, step, ordinal)");
    CHECK_THAT(refusal(), Contains(wanted));
    index("alter table tidb_background_subtask add unique key uk_task_key_step_ordinal (task_key, step)");
    CHECK_THAT(refusal(), Contains(wanted));
    index("alter table tidb_background_subtask add unique key uk_task_key_step_ordinal (task_key, step, ordinal)");
    tables.makeStore()->schema().check({});
  }
  SECTION("the index of nodes is another one") {
    tables.execute("alter table tidb_background_subtask drop index idx_exec_id");
    tables.execute("alter table tidb_background_subtask add key idx_exec_id (state, exec_id)");
    CHECK_THAT(refusal(), Contains("whose index idx_exec_id is not on (exec_id)"));
  }
  SECTION("the side schema serves tasks of its own") {
    tables.execute("create table `" + tables.side() + "`.tidb_global_task (id int)");
    CHECK_THAT(refusal(), Contains("serves tasks of its own"));
  }
  SECTION("the side tables are missing") {
    tables.execute("drop table `" + tables.side() + "`.disttask_schema");
    CHECK_THAT(refusal(), Contains("run `disttaskctl schema install`"));
  }
}

TEST_CASE("Tasks of a live TiDB are not changed by us", "[db][mysql_schema]") {
  DxfTables tables(DxfVersion::kNewer);
  auto store = tables.makeStore();
  static_cast<void>(store->schema().install({}));
  addTask(tables, 1, "running");
  auto& client = store->clientTable();
  const proto::TaskId id(1);
  storage::TaskRequest request;
  request.key = "mine";
  request.type = "Example";
  request.meta = "{}";
  proto::TaskModification change_slots;
  change_slots.slots = 3;
  const std::vector<std::function<void()>> changes{
      [&] { static_cast<void>(client.submitTask({}, request)); },
      [&] { static_cast<void>(client.cancelTask({}, id)); },
      [&] { static_cast<void>(client.pauseTask({}, id)); },
      [&] { static_cast<void>(client.resumeTask({}, id)); },
      [&] { static_cast<void>(client.resolveTask({}, id, storage::Resolution::kRetry)); },
      [&] { client.modifyTask({}, id, change_slots); },
  };
  for (const auto& change : changes)
    CHECK_THAT(refusalOf(change, ErrorCode::kUnsupported), Contains("are a live TiDB's"));
  CHECK(tables.scalar("select concat(count(*), min(state)) from tidb_global_task") == "1running");
  for (const auto* state : {"paused", "awaiting-resolution"}) {
    tables.execute(std::string("update tidb_global_task set state='") + state + "'");
    for (const auto& change : changes)
      CHECK_THAT(refusalOf(change, ErrorCode::kUnsupported), Contains("are a live TiDB's"));
    CHECK(tables.scalar("select concat(count(*), min(state)) from tidb_global_task") == std::string("1") + state);
  }
}

TEST_CASE("Running rows that TiDB's own executor began are left to their type, in each version", "[db][mysql_schema]") {
  const auto version = GENERATE(DxfVersion::k81, DxfVersion::k85, DxfVersion::kNewer);
  DxfTables tables(version);
  auto store = tables.makeStore();
  static_cast<void>(store->schema().install({}));
  addTask(tables, 1, "running");
  for (int i = 1; i <= 3; ++i) addSubtask(tables, 1, i, "running", kNode);
  auto& table = store->taskTable();
  const std::vector<std::pair<proto::SubtaskId, storage::OrphanOutcome>> left{
      {proto::SubtaskId(101), storage::OrphanOutcome::kUnmarked},
      {proto::SubtaskId(102), storage::OrphanOutcome::kUnmarked},
      {proto::SubtaskId(103), storage::OrphanOutcome::kUnmarked}};
  CHECK(table.takeOrphans({}, kNode, proto::TaskId(1), 3) == left);
  const auto rows = table.getSubtasksByExecIdAndStepAndStates(
      {}, kNode, proto::TaskId(1), proto::Step(1), {SubtaskState::kRunning}, {}
  );
  REQUIRE(rows.size() == 3);
  CHECK(table.takeUnmarked({}, rows[0], true) == storage::OrphanOutcome::kGivenBack);
  CHECK(table.takeUnmarked({}, rows[1], false) == storage::OrphanOutcome::kFailed);
  tables.execute("update tidb_global_task set state='pausing'");
  CHECK(table.pauseSubtasks({}, kNode, proto::TaskId(1)) == 2);  // the pending one too
  CHECK(
      tables.scalar(
          "select group_concat(concat(state, if(ddl_physical_tid is null, '', ' token'), if(end_time is null, '', "
          "' ended'), if(error is null, '', ' error')) order by id) from tidb_background_subtask"
      ) == "paused,failed error,paused"
  );
  CHECK(tables.scalar("select count(*) from `" + tables.side() + "`.disttask_attempt") == "0");
}

TEST_CASE("A pause that comes when TiDB has resumed the task leaves its rows as they are", "[db][mysql_schema]") {
  DxfTables tables(DxfVersion::k85);
  auto store = tables.makeStore();
  static_cast<void>(store->schema().install({}));
  addTask(tables, 1, "pausing");
  addSubtask(tables, 1, 1, "pending", kNode);
  addSubtask(tables, 1, 2, "running", kNode);
  auto& table = store->taskTable();
  const auto states = [&] {
    return tables.scalar("select group_concat(state order by id) from tidb_background_subtask");
  };
  SECTION("before the first look") {
    tables.execute("update tidb_global_task set state='running'");
    CHECK(table.pauseSubtasks({}, kNode, proto::TaskId(1)) == 0);
  }
#ifdef DISTTASK_FAILPOINTS
  SECTION("before a write is repeated whose answer was lost") {
    Failpoints::arm("store.committed", [&] {
      Failpoints::disarmAll();
      // TiDB goes to paused and resumes.
      tables.execute("update tidb_global_task set state='running'");
      tables.execute("update tidb_background_subtask set state='pending' where state='paused'");
      throw Exception(ErrorCode::kStoreUnavailable, "the answer is lost");
    });
    CHECK(table.pauseSubtasks({}, kNode, proto::TaskId(1)) == 0);
  }
#endif
  CHECK(states() == "pending,running");
}

TEST_CASE("A node pauses and cancels its own rows only, as TiDB's executor does", "[db][mysql_schema]") {
  DxfTables tables(DxfVersion::k85);
  auto store = tables.makeStore();
  static_cast<void>(store->schema().install({}));
  addTask(tables, 1, "pausing");
  addSubtask(tables, 1, 1, "pending", kNode);
  addSubtask(tables, 1, 2, "pending", "other:4000");
  CHECK(store->taskTable().pauseSubtasks({}, kNode, proto::TaskId(1)) == 1);
  CHECK(tables.scalar("select group_concat(state order by id) from tidb_background_subtask") == "paused,pending");
  addSubtask(tables, 1, 3, "pending", kNode);
  CHECK(store->taskTable().cancelSubtask({}, kNode, proto::TaskId(1)) == 1);
  CHECK(
      tables.scalar("select group_concat(state order by id) from tidb_background_subtask") == "paused,pending,canceled"
  );
}

TEST_CASE("A register row that TiDB deleted comes back, and one that TiDB keeps keeps its role", "[db][mysql_schema]") {
  DxfTables tables(DxfVersion::k85);
  auto store = tables.makeStore();
  static_cast<void>(store->schema().install({}));
  REQUIRE(store->nodeTable().registerNode({}, makeNode(11), std::nullopt));
  tables.execute("delete from dist_framework_meta");
  CHECK_FALSE(store->pollTable().poll({}, kNode).meta_slots);
  store->taskTable().recoverMeta({}, kNode, "ext", 8);
  CHECK(store->pollTable().poll({}, kNode).meta_slots == 8);
  tables.execute("update dist_framework_meta set role='moved'");
  store->taskTable().recoverMeta({}, kNode, "ext", 9);
  CHECK(tables.scalar("select concat(role, cpu_count) from dist_framework_meta") == "moved9");
}

TEST_CASE("An id that is in TiDB's register and none of ours is refused, and its role stays", "[db][mysql_schema]") {
  DxfTables tables(DxfVersion::k85);
  auto store = tables.makeStore();
  static_cast<void>(store->schema().install({}));
  auto& nodes = store->nodeTable();
  tables.execute("insert into dist_framework_meta (host, role, cpu_count) values ('db-7:7001', 'other', 4)");
  CHECK_THAT(
      refusalOf(
          [&] { static_cast<void>(nodes.registerNode({}, makeNode(11), std::nullopt)); }, ErrorCode::kInvalidConfig
      ),
      Contains("node.id: value 'db-7:7001', expected another one") && Contains("with role 'other'")
  );
  CHECK(tables.scalar("select concat(role, cpu_count) from dist_framework_meta") == "other4");
  CHECK_FALSE(nodes.getNode({}, kNode));
  SECTION("one of our scope is taken: ours was forgotten with its side tables") {
    tables.execute("update dist_framework_meta set role='ext'");
    CHECK(nodes.registerNode({}, makeNode(11), std::nullopt));
  }
  SECTION("one of ours that now has another scope registers again") {
    tables.execute("delete from dist_framework_meta");
    REQUIRE(nodes.registerNode({}, makeNode(11), std::nullopt));
    tables.execute("update dist_framework_meta set role='before'");
    CHECK(nodes.registerNode({}, makeNode(12), Life(11)));
  }
  CHECK(tables.scalar("select concat(role, cpu_count) from dist_framework_meta") == "ext8");
}

TEST_CASE("A node that is gone is left to TiDB, and forgotten when no row is left", "[db][mysql_schema]") {
  DxfTables tables(DxfVersion::k85);
  auto store = tables.makeStore();
  static_cast<void>(store->schema().install({}));
  auto& nodes = store->nodeTable();
  REQUIRE(nodes.registerNode({}, makeNode(11), std::nullopt));
  addTask(tables, 1, "running");
  addSubtask(tables, 1, 1, "running", kNode);
  addSubtask(tables, 1, 2, "succeed", kNode);
  CHECK_THAT(
      refusalOf([&] { nodes.forget({}, kNode, Life(11)); }, ErrorCode::kPrecondition), Contains("is not evicted")
  );
  CHECK(tables.scalar("select count(*) from dist_framework_meta") == "1");
  REQUIRE(nodes.evict({}, kNode, Life(11), 0));
  CHECK_THAT(
      refusalOf([&] { nodes.forget({}, kNode, Life()); }, ErrorCode::kPrecondition), Contains("1 subtasks of node")
  );
  CHECK(tables.scalar("select count(*) from dist_framework_meta") == "0");
  // As TiDB's scheduler does with the rows of a node that is not registered.
  tables.execute("update tidb_background_subtask set exec_id='other:4000' where state='running'");
  CHECK(nodes.forget({}, kNode, Life()));
  CHECK_FALSE(nodes.getNode({}, kNode));
}
