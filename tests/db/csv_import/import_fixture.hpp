#pragma once
#include "csv_import_type.hpp"
#include "disttask/base/json.hpp"

#include "support/plugin_host.hpp"
#include "support/temp_dir.hpp"
#include "support/test_store.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace disttask::test {

/// A schema with a ledger, a folder of files, and the task type over a fake host: runs whole tasks as the framework
/// would, one subtask at a time.
class ImportFixture {
 public:
  ImportFixture();
  ~ImportFixture();

  /// Writes a file below the allowed directory and returns its path.
  std::string file(const std::string& name, const std::string& content);
  /// A task meta for `file` into `table`, with members more (such as R"("into": "append")").
  [[nodiscard]] std::string meta(const std::string& file, const std::string& table, const std::string& more = "") const;

  /// What the subtasks of one step are, by the planner; throws what it throws.
  std::vector<std::string> plan(
      std::int64_t task, const std::string& meta, std::int32_t step, const std::vector<std::string>& results = {}
  );
  std::unique_ptr<sdk::Step> step(std::int64_t task, const std::string& meta, std::int32_t step);
  /// Runs one subtask; returns its result.
  std::string run(sdk::Step& step, std::int32_t step_number, std::int32_t ordinal, const std::string& subtask_meta);
  /// Plans and runs all of step `import`; returns the results.
  std::vector<std::string> import(std::int64_t task, const std::string& meta);
  /// … and of step `verify`; returns the result of the last part.
  Json importAndVerify(std::int64_t task, const std::string& meta);
  /// Returns the text with which a whole task fails, or "".
  std::string failure(std::int64_t task, const std::string& meta);

  /// Lets the task type log in as a user of its own, so that the test can tell its sessions from all others; returns
  /// the name.
  std::string useOwnUser();
  [[nodiscard]] std::string connectionJson(const std::string& more = "") const;
  void execute(const std::string& sql) { store.execute(sql); }
  [[nodiscard]] std::string scalar(const std::string& sql) const { return store.scalar(sql); }

  TestStore store{TestStore::Schema::kEmpty};
  TempDir dir;
  std::unique_ptr<FakeHost> host;
  csv_import::CsvImport type;
  std::string own_user;
  std::int64_t rows_reported = 0;  ///< by addProgress, of the runs so far
};

}  // namespace disttask::test
