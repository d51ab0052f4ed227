// What a node sends beside a live TiDB must go by TiDB's indexes, and walk over no more of a task's rows than it has
// to: what the optimizer of the server under test says, on the tables of each version.
#include "dxf_dialect.hpp"
#include "dxf_tables.hpp"
#include "plans.hpp"

#include "statements/dxf.hpp"
#include <catch2/catch.hpp>

#include <map>

using namespace disttask;                  // NOLINT: a test
using namespace disttask::storage::mysql;  // NOLINT: a test
using test::DxfTables;
using test::DxfVersion;

namespace {

constexpr std::int64_t kNumSubtasks = 20'000;

/// Two tasks of two steps, four nodes; all of the first step is done, and most of the second.
void fill(const DxfTables& tables) {
  tables.execute("create table seed (n int primary key)");
  tables.execute("insert into seed values (0)");
  for (std::int64_t size = 1; size < kNumSubtasks; size *= 2) {
    const auto text = std::to_string(size);
    tables.execute(
        "insert into seed select n+" + text + " from seed where n+" + text + "<" + std::to_string(kNumSubtasks)
    );
  }
  tables.execute(
      "insert into tidb_background_subtask (id, step, task_key, ddl_physical_tid, type, exec_id, state, checkpoint,"
      " concurrency, create_time, meta, ordinal, summary)"
      " select n+1, if(n<5000,1,2), if(n%10<8,'1','2'), n+1, 1, concat('node-',(n div 100)%4),"
      " case when n<5000 or n%100<80 then 'succeed' when n%100=98 then 'running' else 'pending' end,"
      " '{}', 4, current_timestamp(), '{\"i\":1}', n+1, '{}' from seed"
  );
  tables.execute(
      "insert into tidb_global_task (id, task_key, type, state, step, concurrency, priority, create_time, meta)"
      " select n+1, concat('key-',n), 'Example', if(n<2,'running',if(n<20,'pending','paused')), 2, 4, 512,"
      " current_timestamp(), '{}' from seed where n<2000"
  );
  tables.execute(
      "insert into dist_framework_meta (host, role, cpu_count) select concat('node-',n), 'ext', 8 from seed where "
      "n<1000"
  );
  const auto side = "`" + tables.side() + "`.";
  tables.execute(
      "insert into " + side +
      "disttask_node (exec_id, life, renewals, lease_ms) select concat('node-',n), n+1, 0, 30000 from seed where n<1000"
  );
  tables.execute(
      "insert into " + side +
      "disttask_attempt (subtask_id, task_id) select n*10+1, if(n%2=0,1,2) from seed where n<1000"
  );
  for (const auto& table :
       {std::string("tidb_background_subtask"),
        std::string("tidb_global_task"),
        std::string("dist_framework_meta"),
        side + "disttask_node",
        side + "disttask_attempt"})
    tables.execute("analyze table " + table);
}

HotSample sampleOf(const DxfTables& tables) {
  HotSample sample;
  sample.exec_id = "node-3";
  sample.task_id = 1;
  sample.task_key = "1";
  sample.step = 2;
  sample.ordinal = 19'000;
  // Ids of pending rows of that node and task, as the seed has them.
  for (std::int64_t n = 5000; sample.subtask_ids.size() < 64; ++n) {
    if ((n / 100) % 4 == 3 && n % 10 < 8 && n % 100 >= 80 && n % 100 != 98) sample.subtask_ids.push_back(n + 1);
  }
  sample.subtask_id = sample.subtask_ids.back();
  const auto id = std::to_string(sample.subtask_id);
  tables.execute(
      "insert ignore into `" + tables.side() + "`.disttask_attempt (subtask_id, task_id) values (" + id + ",1)"
  );
  CHECK(tables.scalar("select state from tidb_background_subtask where id=" + id) == "pending");
  return sample;
}

/// How much of uk_task_key_step_ordinal the statements that walk along it must use; key_len counts 1027 bytes of the
/// key, 5 of the step and 5 of the ordinal.
std::map<std::string, test::RangeOfIndex> rangesOfOrdinals(const HotSample& sample) {
  const test::RangeOfIndex of_task{R"(["1","1"])", "1027"};
  const test::RangeOfIndex of_step{R"(["1" 2,"1" 2])", "1032"};
  return {
      {sql::kPickPending.name, {"(\"1\" 2 " + std::to_string(sample.ordinal) + ",\"1\" 2 +inf]", "1037"}},
      {sql::kPickInState.name, of_step},
      {sql::kHasInState.name, of_step},
      {sql::kDxfWorkOfStep.name, of_step},
      {sql::kDxfRunningRows.name, of_step},
      {sql::kDxfWorkOfTask.name, of_task},
      {sql::kPendingIds.name, of_task},
  };
}

}  // namespace

TEST_CASE("Every hot statement beside a live TiDB goes by TiDB's indexes, and the check notices a missing one") {
  const DxfTables tables(GENERATE(DxfVersion::k81, DxfVersion::k85, DxfVersion::kNewer));
  auto store = tables.makeStore();
  static_cast<void>(store->schema().install({}));
  fill(tables);
  auto settings = tables.settings();
  auto connect = settings.connect;
  connect.schema = settings.side_schema;
  auto connection = sqlclient::Connection::open(connect);
  const auto shape = readDxfShape(*connection, settings.schema);

  const auto sample = sampleOf(tables);
  const auto ranges = rangesOfOrdinals(sample);
  std::size_t num_ranges = 0;
  for (auto statement : hotDxfStatements(sample)) {
    statement.text = translateForDxf(statement.text, settings.schema, shape);
    const auto range = ranges.find(statement.name);
    CHECK((range != ranges.end()) == (statement.index == "uk_task_key_step_ordinal"));
    if (range != ranges.end()) ++num_ranges;
    INFO(statement.text);
    CHECK(
        test::planFaultOf(*connection, statement, range == ranges.end() ? test::RangeOfIndex{} : range->second) == ""
    );
  }
  CHECK(num_ranges == ranges.size());

  // Other text for the same rows is noticed.
  auto unbounded = HotStatement{
      sql::kDxfRunningRows.name,
      translateForDxf(sql::kRunningRows.text, settings.schema, shape),
      {sample.exec_id, sample.task_key},
      "s",
      "uk_task_key_step_ordinal",
      false,
      {}};
  CHECK(test::planFaultOf(*connection, unbounded) == "");
  CHECK(test::planFaultOf(*connection, unbounded, ranges.at(unbounded.name)) != "");
}
