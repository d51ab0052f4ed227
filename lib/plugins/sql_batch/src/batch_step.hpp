#pragma once
#include "batch_options.hpp"
#include "batch_session.hpp"
#include "chunk_size.hpp"
#include "disttask/plugin_common/sessions.hpp"
#include "disttask/runtime/clock.hpp"
#include "disttask_plugin.hpp"
#include "plugin_config.hpp"
#include "segment_meta.hpp"
#include "throttle.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace disttask::sql_batch {

/// Step `run`: one subtask works off one key range, chunk by chunk, and goes on where an earlier run of it stopped.
class BatchStep final : public sdk::Step {
 public:
  BatchStep(
      BatchOptions options,
      PluginConfig config,
      std::shared_ptr<plugin_common::Sessions> sessions,
      std::int64_t task,
      const sdk::Resource& resource,
      const runtime::Clock& clock = runtime::systemClock()  ///< of the notes of progress
  );

  std::string runSubtask(sdk::Run& run, const sdk::Subtask& subtask) override;
  void taskMetaModified(const sdk::Host& host, std::string_view meta) override;
  void resourceModified(const sdk::Host& host, const sdk::Resource& resource) override;
  void cleanup(const sdk::Host& host) override;

 private:
  friend class SegmentRun;
  std::shared_ptr<const TaskNote> prepare(const sdk::Host& host, const BatchSession& session);
  void noteProgress(sdk::Run& run, const BatchSession& session);

  // As the step began. The throttles of now are in throttle_; what is done is what the note says, since this may be a
  // meta of after the plan.
  const BatchOptions options_;
  const PluginConfig config_;
  const std::shared_ptr<plugin_common::Sessions> sessions_;
  const std::int64_t task_;
  const runtime::Clock& clock_;
  Throttle throttle_;
  ChunkSize size_;
  std::atomic<bool> one_at_a_time_;
  std::mutex mutex_;
  // guarded by mutex_
  std::shared_ptr<const TaskNote> note_;
  std::optional<runtime::TimePoint> noted_at_;
  std::int64_t noted_rows_ = -1;
};

}  // namespace disttask::sql_batch
