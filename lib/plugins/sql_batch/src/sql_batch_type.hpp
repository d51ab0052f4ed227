#pragma once
#include "disttask/plugin_common/sessions.hpp"
#include "disttask_plugin.hpp"
#include "plugin_config.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace disttask::sql_batch {

/// Task type `sql_batch`: one big UPDATE, DELETE or INSERT … SELECT, in chunks along a key.
class SqlBatch final : public sdk::TaskType {
 public:
  [[nodiscard]] std::string name() const override { return "sql_batch"; }
  [[nodiscard]] std::string version() const override { return "1"; }
  /// One chunk of a task at a time among all nodes, see docs/sql_batch.md; more by --parallel.
  [[nodiscard]] std::int32_t parallelSubtasks() const override { return 1; }
  [[nodiscard]] std::int32_t maxParallelSubtasks() const override { return 0; }

  void configure(const sdk::Host& host, std::string_view config) override;
  void validate(std::string_view meta) override;
  sdk::Cursor plan(sdk::Planning& planning, const sdk::Task& task, std::int32_t step, std::string_view cursor) override;
  std::unique_ptr<sdk::Step> createStep(
      const sdk::Host& host, const sdk::Task& task, std::int32_t step, const sdk::Resource& resource
  ) override;
  /// The ledger says how far a subtask has come, so every run goes on from there.
  [[nodiscard]] bool isIdempotent(const sdk::Subtask&) override { return true; }
  /// Takes nothing back: committed chunks stay. Logs what is done.
  void revert(const sdk::Host& host, const sdk::Task& task) override;
  /// Marks the ledger's rows: they may go some days later.
  void cleanUp(const sdk::Host& host, const sdk::Task& task, bool succeeded) override;

 private:
  PluginConfig config_;  // constant after configure
  std::shared_ptr<plugin_common::Sessions> sessions_ = std::make_shared<plugin_common::Sessions>("batch-watch");
};

}  // namespace disttask::sql_batch
