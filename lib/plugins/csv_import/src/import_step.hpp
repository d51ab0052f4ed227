#pragma once
#include "chunk_importer.hpp"
#include "chunk_pace.hpp"
#include "disttask_plugin.hpp"
#include "import_options.hpp"
#include "plugin_config.hpp"
#include "sessions.hpp"
#include "task_session.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace disttask::csv_import {

/// Step `import`: one subtask imports one chunk. Subtasks run at the same time, as many as the connection has places
/// and as pays.
class ImportStep final : public sdk::Step {
 public:
  ImportStep(ImportOptions options, PluginConfig config, std::shared_ptr<Sessions> sessions, std::int64_t task);

  std::string runSubtask(sdk::Run& run, const sdk::Subtask& subtask) override;
  void cleanup(const sdk::Host& host) override;

 private:
  struct Prepared {
    TargetTable target;
    std::int64_t root = 0;
  };
  ChunkResult runOnce(sdk::Run& run, const SourceFile& file, const ChunkMeta& chunk, std::int32_t ordinal);
  ChunkResult runChunk(sdk::Run& run, const ChunkMeta& chunk, std::int32_t ordinal);
  const Prepared& prepare(const TaskSession& session, const ChunkMeta& chunk);

  const ImportOptions options_;
  const PluginConfig config_;
  const std::shared_ptr<Sessions> sessions_;
  const std::int64_t task_;
  ChunkPace pace_;
  LoadTrust loads_;
  std::mutex mutex_;
  std::optional<Prepared> prepared_;  // guarded by mutex_ until set, then constant
};

}  // namespace disttask::csv_import
