#include "batch_step.hpp"

#include "disttask/plugin_common/json_fields.hpp"
#include "disttask/plugin_common/translated.hpp"
#include "segment_run.hpp"

#include <algorithm>

namespace disttask::sql_batch {
namespace {

constexpr auto kNoteEvery = std::chrono::seconds(10);
// An archive's rows are held in memory on their way.
constexpr std::int64_t kMaxArchivedRows = 10'000;
constexpr const char* kGoesOn =
    "the task goes on with what was planned: only chunk_rows, chunk_time, max_lag, replicas, max_load, critical_load, "
    "sleep_ratio and window can change while it runs";

std::int64_t mostRows(const BatchWork& work) {
  return work.archive ? std::min(work.subtask_rows, kMaxArchivedRows) : work.subtask_rows;
}

}  // namespace

BatchStep::BatchStep(
    BatchOptions options,
    PluginConfig config,
    std::shared_ptr<plugin_common::Sessions> sessions,
    std::int64_t task,
    const sdk::Resource& resource,
    const runtime::Clock& clock
)
    : options_(std::move(options)),
      config_(std::move(config)),
      sessions_(std::move(sessions)),
      task_(task),
      clock_(clock),
      throttle_(options_.throttle, *sessions_),
      size_(options_.throttle.chunk_rows, mostRows(options_.work)),
      one_at_a_time_(resource.parallel_subtasks == 1) {}

std::shared_ptr<const TaskNote> BatchStep::prepare(const sdk::Host& host, const BatchSession& session) {
  const std::lock_guard lock(mutex_);
  if (note_) return note_;
  note_ = std::make_shared<const TaskNote>(session.note(task_));
  size_.limit(mostRows(note_->work));
  if (note_->work.toJson() != options_.work.toJson()) host.log(sdk::LogLevel::kWarn, kGoesOn);
  return note_;
}

std::string BatchStep::runSubtask(sdk::Run& run, const sdk::Subtask& subtask) {
  return plugin_common::translated([&]() -> std::string {
    // The planner of a dry run has found out all there is to say. The task's meta may say otherwise by now.
    if (plugin_common::parseObject(subtask.meta, "subtask meta").find("dry_run") != nullptr) {
      return std::string(subtask.meta);
    }
    try {
      return SegmentRun(*this, run, subtask).work();
    } catch (const Exception& exception) {
      if (exception.error().reaction() != Reaction::kGiveUp) throw;
      std::string done;
      try {
        const auto place = SegmentMeta::parse(subtask.meta, placeOf(options_.work)).place;
        const BatchSession session(run, *sessions_, place);
        done = progressText(session, task_);
      } catch (...) {  // only an addition
      }
      if (done.empty()) throw;
      throw Exception(
          Error(exception.error().code(), Reaction::kGiveUp, exception.error().message() + " (done: " + done + ")")
      );
    }
  });
}

// How far the whole task is, from the ledger, so that each node says the same.
void BatchStep::noteProgress(sdk::Run& run, const BatchSession& session) {
  double seconds = 0;
  std::int64_t rows_before = 0;
  std::int64_t planned = -1;
  {
    const std::lock_guard lock(mutex_);
    const auto now = clock_.now();
    if (!noted_at_) noted_at_ = now;
    if (now - *noted_at_ < kNoteEvery) return;
    seconds = std::chrono::duration<double>(now - *noted_at_).count();
    noted_at_ = now;
    rows_before = noted_rows_;
  }
  const BatchSums sums = session.ledger().sums(session.connection(), task_);
  const TaskNote note = session.note(task_);
  {
    const std::lock_guard lock(mutex_);
    noted_rows_ = sums.walked;
  }
  if (note.segments >= 0) planned = note.rows;
  Json json;
  json["rows"] = sums.walked;
  json["changed"] = sums.changed;
  std::string text = std::to_string(sums.segments_done) + (planned < 0 ? "" : " of " + std::to_string(note.segments)) +
                     " subtasks, " + std::to_string(sums.walked) +
                     (planned < 0 ? "" : " of " + std::to_string(planned)) + " rows";
  if (planned >= 0) json["rows_planned"] = planned;
  if (rows_before >= 0 && sums.walked > rows_before) {
    const double rate = static_cast<double>(sums.walked - rows_before) / seconds;
    text += ", " + std::to_string(static_cast<std::int64_t>(rate)) + " rows/s";
    json["rows_per_second"] = static_cast<std::int64_t>(rate);
    if (planned >= 0) {
      const auto left =
          static_cast<std::int64_t>(static_cast<double>(std::max<std::int64_t>(planned - sums.walked, 0)) / rate);
      text += ", about " + std::to_string(left) + " s left";
      json["seconds_left"] = left;
    }
  }
  Json kept;
  kept["begun"] = true;
  kept["whole_task"] = std::move(json);
  kept["chunk_rows"] = size_.rows();
  text += ", chunks of " + std::to_string(size_.rows()) + " rows";
  if (const double ratio = throttle_.options().sleep_ratio; ratio > 0) {
    kept["sleep_ratio"] = ratio;
    text += ", pauses of " + Json(ratio).dump() + " times their time";
  }
  run.log(sdk::LogLevel::kInfo, text);
  run.putCheckpoint(kept.dump());
}

void BatchStep::taskMetaModified(const sdk::Host& host, std::string_view meta) {
  plugin_common::translated([&] {
    const BatchOptions options = parseOptions(meta);
    const ThrottleOptions before = throttle_.options();
    const bool fixed_now = options.throttle.chunk_time_ms == 0 && before.chunk_time_ms != 0;
    const bool resized = options.throttle.chunk_rows != before.chunk_rows || fixed_now;
    throttle_.setOptions(options.throttle);
    if (resized) size_.set(options.throttle.chunk_rows);
    if (options.work.toJson() != options_.work.toJson()) {
      host.log(sdk::LogLevel::kWarn, kGoesOn);
    }
  });
}

void BatchStep::resourceModified(const sdk::Host&, const sdk::Resource& resource) {
  one_at_a_time_ = resource.parallel_subtasks == 1;
}

void BatchStep::cleanup(const sdk::Host&) {
  std::string connection = options_.work.connection;
  {
    const std::lock_guard lock(mutex_);
    if (note_) connection = note_->work.connection;
  }
  sessions_->closeIdle(connection);
}

}  // namespace disttask::sql_batch
