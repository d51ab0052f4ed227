// Each statement of a hot loop must use its index on a table of 200,000 subtasks: what the optimizer of the server
// under test says.
#include "plans.hpp"

#include "statements/node.hpp"
#include "statements/plan.hpp"
#include "statements/poll.hpp"
#include "statements/reasons.hpp"
#include "statements/scheduler.hpp"
#include "statements/task.hpp"
#include "support/test_store.hpp"
#include <catch2/catch.hpp>

#include <set>

using namespace disttask;                  // NOLINT: a test
using namespace disttask::storage::mysql;  // NOLINT: a test

namespace {

constexpr std::int64_t kNumSubtasks = 200'000;
constexpr std::int64_t kBatch = 20'000;
using test::kMinMax;
using test::planFaultsOf;

/// Two tasks, 16 nodes; of each node's rows 80 % are done, 19 % pending, 1 % running.
void fill(test::TestStore& store) {
  store.execute("create table seed (n int primary key)");
  store.execute("insert into seed values (0)");
  for (std::int64_t size = 1; size < kNumSubtasks; size *= 2) {
    store.execute(
        "insert into seed select n+" + std::to_string(size) + " from seed where n+" + std::to_string(size) + "<" +
        std::to_string(kNumSubtasks)
    );
  }
  for (std::int64_t first = 0; first < kNumSubtasks; first += kBatch) {
    store.execute(
        "insert into tidb_background_subtask"
        " (id, step, task_key, ddl_physical_tid, type, exec_id, state, checkpoint, concurrency, create_time, meta, "
        "ordinal, summary)"
        " select n+1, 1, if(n<150000,'1','2'), n+1, 0, concat('node-',(n div 100)%16),"
        " case when n%100<80 then 'succeed' when n%100=99 then 'running' else 'pending' end,"
        " '{}', 4, current_timestamp(), '{\"chunk\":1}', n+1, '{}' from seed where n>=" +
        std::to_string(first) + " and n<" + std::to_string(first + kBatch)
    );
  }
  store.execute(
      "insert into tidb_global_task (id, task_key, type, state, step, concurrency, priority, create_time, meta, "
      "extra_params)"
      " select n+1, concat('key-',n), 'example', if(n<2,'running',if(n<20,'pending','paused')), 1, 4, 512, "
      "current_timestamp(), '{}', '{}'"
      " from seed where n<2000"
  );
  store.execute(
      "insert into disttask_node (exec_id, life, renewals, lease_ms) select concat('node-',n), n+1, 0, 30000 from seed "
      "where n<1000"
  );
  store.execute(
      "insert into dist_framework_meta (host, role, cpu_count, keyspace_id) select concat('node-',n), 'disttask', 8, "
      "-1 from seed where n<1000"
  );
  store.execute(
      "insert into disttask_attempt (subtask_id, task_id) select n*40+1, if(n*40<150000,1,2) from seed where n<5000"
  );
  store.execute(
      "insert into disttask_plan (task_id, kind, after_step, step, planner, token, `cursor`, next_ordinal, complete, "
      "failed, retries)"
      " select n+1, 'step', -1, 1, concat('node-',n%16), 4, '', 1, if(n<100,0,1), 0, 0 from seed where n<2000"
  );
  for (const char* table :
       {"tidb_background_subtask",
        "tidb_global_task",
        "disttask_node",
        "dist_framework_meta",
        "disttask_attempt",
        "disttask_plan"}) {
    store.execute("analyze table " + std::string(table));
  }
}

HotSample sampleOf(const test::TestStore& store) {
  HotSample sample;
  sample.exec_id = "node-3";
  sample.task_id = 1;
  sample.task_key = "1";
  sample.step = 1;
  const auto connection = store.connect();
  auto rows = connection->queryDynamic(
      "sample",
      "select id, ordinal from tidb_background_subtask force index (ix_exec)"
      " where exec_id='node-3' and state='pending' and task_key='1' order by ordinal limit 64",
      {}
  );
  while (rows.next()) {
    sample.subtask_ids.push_back(rows.getInt(1));
    sample.subtask_id = rows.getInt(1);
    sample.ordinal = rows.getInt(2);
  }
  store.execute(
      "insert ignore into disttask_attempt (subtask_id, task_id) values (" + std::to_string(sample.subtask_id) + ", 1)"
  );
  store.execute(
      "insert into tidb_background_subtask_history select * from tidb_background_subtask where id=" +
      std::to_string(sample.subtask_id)
  );
  return sample;
}

/// The nodes' own loop is the smallest one; its statements are few.
std::vector<HotStatement> hotNodeStatements(const HotSample& sample) {
  using namespace statements;  // NOLINT: a test
  const auto hot = [](const sqlclient::Sql& sql, sqlclient::Values values, const char* table, const char* index) {
    return HotStatement{sql.name, sql.text, std::move(values), table, index, false, {}};
  };
  const sqlclient::Values poll(4, sample.exec_id);
  return {
      hot(sql::kPoll, poll, kMinMax, "ix_exec"),
      hot(sql::kPoll, poll, kMinMax, "ix_planner"),
      hot(sql::kPoll, poll, "n", "PRIMARY"),
      hot(sql::kPoll, poll, "m", "PRIMARY"),
      hot(kGetNode, {sample.exec_id}, "n", "PRIMARY"),
      hot(kSetWish, {"draining", std::int64_t{60}, "why", sample.exec_id}, "disttask_node", "PRIMARY"),
      hot(kRenewNode,
          {std::int64_t{30000}, "", nullptr, std::int64_t{1}, sample.exec_id, std::int64_t{4}},
          "disttask_node",
          "PRIMARY"),
      hot(kEvictNode, {sample.exec_id, std::int64_t{4}, std::int64_t{0}}, "disttask_node", "PRIMARY"),
      hot(kFindSubtaskOfNode, {sample.exec_id}, "tidb_background_subtask", "ix_exec"),
  };
}

}  // namespace

TEST_CASE("Every hot statement uses its index on 200,000 subtasks, and the check notices a missing index") {
  test::TestStore store;
  fill(store);
  const auto sample = sampleOf(store);
  REQUIRE(sample.subtask_ids.size() == 64);
  auto connection = store.connect();

  const std::vector<std::pair<std::string, std::vector<HotStatement>>> loops{
      {"executor", hotTaskStatements(sample)},
      {"scheduler", hotSchedulerStatements(sample)},
      {"planning", hotPlanStatements(sample)},
      {"node", hotNodeStatements(sample)},
      {"reasons", hotReasonStatements(sample)},
  };
  for (const auto& [loop, statements] : loops) {
    CHECK(statements.size() >= 2);
    for (const auto& fault : planFaultsOf(*connection, statements)) {
      INFO(loop << ": " << fault);
      CHECK(false);
    }
  }

  store.execute("alter table tidb_background_subtask drop key ix_exec");
  connection = store.connect();
  std::set<std::string> wanted;
  for (const auto& statement : hotTaskStatements(sample)) {
    if (statement.index == "ix_exec") wanted.insert(statement.name);
  }
  CHECK(wanted.size() >= 6);
  std::set<std::string> noticed;
  for (const auto& statement : hotTaskStatements(sample)) {
    if (!planFaultsOf(*connection, {statement}).empty()) noticed.insert(statement.name);
  }
  CHECK(noticed == wanted);
}
