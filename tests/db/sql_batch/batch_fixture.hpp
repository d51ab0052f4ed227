#pragma once
#include "disttask/base/json.hpp"
#include "sql_batch_type.hpp"

#include "support/plugin_host.hpp"
#include "support/temp_dir.hpp"
#include "support/test_store.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace disttask::test {

/// A schema with a ledger, a folder for archives, and the task type over a fake host: runs whole tasks as the framework
/// would, one subtask at a time. Connections: main, and other, which leads to the same server.
class BatchFixture {
 public:
  BatchFixture();

  /// A task meta for `table` with members more (such as R"("key": "uk")").
  [[nodiscard]] std::string meta(const std::string& statement, const std::string& table, const std::string& more = "")
      const;
  /// What the subtasks are, by the planner; throws what it throws.
  std::vector<std::string> plan(std::int64_t task, const std::string& meta);
  std::unique_ptr<sdk::Step> step(std::int64_t task, const std::string& meta, std::int32_t parallel = 1);
  /// Runs one subtask, with the checkpoint that its last run kept; returns its result.
  Json run(sdk::Step& step, std::int32_t ordinal, const std::string& subtask_meta);
  /// Plans and runs a whole task; returns the results.
  std::vector<Json> work(std::int64_t task, const std::string& meta);
  /// Returns the text with which a whole task fails, or "".
  std::string failure(std::int64_t task, const std::string& meta);

  /// Fills table `t(id int primary key, n int, pad)` with rows 3, 6, 9 … and n = 0.
  void makeNumbers(int rows);
  void execute(const std::string& sql) { store.execute(sql); }
  [[nodiscard]] std::string scalar(const std::string& sql) const { return store.scalar(sql); }
  [[nodiscard]] std::string connectionJson() const;

  TestStore store{TestStore::Schema::kEmpty};
  TempDir dir;
  std::unique_ptr<FakeHost> host;
  sql_batch::SqlBatch type;
  std::map<std::int32_t, std::string> checkpoints;  ///< by ordinal
  std::int64_t rows_of_last_run = 0;                ///< by addProgress
  std::int64_t rows_reported = 0;                   ///< by addProgress, of the runs so far
};

/// Adds the member `name` of all results.
[[nodiscard]] std::int64_t sumOf(const std::vector<Json>& results, const std::string& name);

}  // namespace disttask::test
