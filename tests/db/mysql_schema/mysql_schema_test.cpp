// The tables of a live TiDB, of three versions, used as they are (contract 1.6).
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

TEST_CASE("The shape of TiDB's tables is read column by column", "[db][mysql_schema]") {
  const auto shapeOf = [](DxfVersion version) {
    DxfTables tables(version);
    auto connect = tables.settings().connect;
    return storage::mysql::DxfDialect(tables.settings().schema, connect).shape();
  };
  CHECK(shapeOf(DxfVersion::k81) == storage::mysql::DxfShape{false, false, false, false});
  CHECK(shapeOf(DxfVersion::k85) == storage::mysql::DxfShape{false, false, false, true});
  CHECK(shapeOf(DxfVersion::kNewer) == storage::mysql::DxfShape{true, true, true, true});
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
      [&] { client.modifyTask({}, id, change_slots); },
  };
  for (const auto& change : changes)
    CHECK_THAT(refusalOf(change, ErrorCode::kUnsupported), Contains("are a live TiDB's"));
  CHECK(tables.scalar("select concat(count(*), min(state)) from tidb_global_task") == "1running");
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
