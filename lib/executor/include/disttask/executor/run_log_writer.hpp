#pragma once
#include "disttask/observability/sampled_log.hpp"
#include "disttask/runtime/periodic.hpp"
#include "disttask/storage/run_log_table.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace disttask::executor {

class NodeServices;

/// What one run has logged last.
struct LoggedRun {
  struct Line {
    runtime::TimePoint at;
    std::string level;
    std::string text;
  };
  proto::SubtaskId id;
  proto::RunToken token;
  std::int64_t num_earlier = 0;
  std::vector<Line> lines;
};

/// Writes what runs of this node logged last, for people, on the side: never by a thread that runs subtasks, and never
/// together with starts and finishes. At most kMaxRunLogs runs each kInterval, in one statement; what comes faster than
/// that is left out and counted, lines of quick runs that succeeded first. A node whose runs log nothing does nothing.
/// Any thread.
class RunLogWriter {
 public:
  static constexpr runtime::Duration kInterval = std::chrono::milliseconds(500);
  static constexpr std::size_t kMaxQueued = 512;    ///< runs
  static constexpr std::size_t kMaxOrdinary = 256;  ///< quick ones that succeeded, of these

  /// `pool` runs rounds of one short store call.
  RunLogWriter(NodeServices& node, storage::RunLogTable& table, runtime::Timers& timers, runtime::Pool& pool);
  RunLogWriter(const RunLogWriter&) = delete;
  RunLogWriter& operator=(const RunLogWriter&) = delete;

  void start();
  /// Writes what is there still, for a second at most, then nothing more. After all runs have ended.
  void stop();

  /// False while the store takes no lines: then nobody need collect any. Quick.
  [[nodiscard]] bool isAccepting() const noexcept;
  /// False, and counted as left out, when there is no room for another one. `ordinary`: of a quick run that succeeded.
  [[nodiscard]] bool hasRoom(bool ordinary);
  /// Queues it, in place of what is queued of that subtask.
  void keep(LoggedRun run, bool ordinary);

 private:
  /// What is written first comes first: ordinary ones last, then by age.
  using Place = std::pair<bool, std::uint64_t>;
  runtime::Duration runRound();
  std::vector<LoggedRun> takeBatch();
  void write(const std::vector<LoggedRun>& batch, runtime::Duration limit);
  bool forgetOld();
  [[nodiscard]] runtime::Duration noteFailure(std::vector<LoggedRun> batch, const Error& error);
  void eraseLocked(std::map<Place, LoggedRun>::iterator at);
  void leaveOut(std::size_t count) noexcept;

  NodeServices& node_;
  storage::RunLogTable& table_;
  std::atomic<std::int64_t> closed_until_ns_{INT64_MIN};  // on the node's clock
  observability::SampledLog failures_{std::chrono::minutes(10)};
  // touched by rounds only
  std::uint32_t num_failures_ = 0;  // in a row
  runtime::TimePoint next_forget_{};

  mutable std::mutex mutex_;
  // guarded by mutex_
  std::map<Place, LoggedRun> queue_;
  std::unordered_map<proto::SubtaskId, Place> places_;
  std::size_t num_ordinary_ = 0;
  std::uint64_t next_number_ = 0;
  bool awake_ = false;  // a round is to come that looks at the queue

  runtime::Periodic periodic_;  // last: its rounds use the members above
};

}  // namespace disttask::executor
