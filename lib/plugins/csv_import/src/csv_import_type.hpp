#pragma once
#include "disttask_plugin.hpp"
#include "import_options.hpp"
#include "plugin_config.hpp"
#include "sessions.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace disttask::csv_import {

/// Task type `csv_import`: step 1 imports the file in chunks, step 2 verifies the table.
class CsvImport final : public sdk::TaskType {
 public:
  [[nodiscard]] std::string name() const override { return "csv_import"; }
  [[nodiscard]] std::string version() const override { return "1"; }
  [[nodiscard]] std::int32_t parallelSubtasks() const override { return 0; }
  [[nodiscard]] std::int32_t maxParallelSubtasks() const override { return 0; }

  void configure(const sdk::Host& host, std::string_view config) override;
  void validate(std::string_view meta) override;
  std::int32_t nextStep(const sdk::Host& host, const sdk::Task& task, std::int32_t after) override;
  sdk::Cursor plan(sdk::Planning& planning, const sdk::Task& task, std::int32_t step, std::string_view cursor) override;
  std::unique_ptr<sdk::Step> createStep(
      const sdk::Host& host, const sdk::Task& task, std::int32_t step, const sdk::Resource& resource
  ) override;
  /// The ledger makes every chunk repeatable, and a verification only reads.
  [[nodiscard]] bool isIdempotent(const sdk::Subtask&) override { return true; }
  /// Takes nothing back: committed chunks stay for a task that resumes this one. Logs what is in and what remains.
  void revert(const sdk::Host& host, const sdk::Task& task) override;
  /// Marks the task's end in the ledger: its rows are kept for so long from there on.
  void cleanUp(const sdk::Host& host, const sdk::Task& task, bool succeeded) override;

 private:
  PluginConfig config_;  // constant after configure
  std::shared_ptr<Sessions> sessions_ = std::make_shared<Sessions>("csv-watch");
};

}  // namespace disttask::csv_import
