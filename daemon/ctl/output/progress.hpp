#pragma once
#include "disttask/runtime/clock.hpp"

#include <chrono>
#include <deque>
#include <optional>
#include <string>

namespace disttask::ctl {

/// What a waiter knows of a task at one moment.
struct Snapshot {
  std::string state;
  std::int32_t step = -1;    ///< negative: no step entered yet, or past the last
  std::int64_t done = 0;     ///< subtasks of the step that ended by a run: succeeded or failed
  std::int64_t planned = 0;  ///< subtasks of the step so far
  std::int64_t failed = 0;
  std::int64_t canceled = 0;   ///< never begun, or ended with their task: no part of what is done
  std::int64_t rows = 0;       ///< rows that the step's subtasks report
  bool plan_complete = false;  ///< `planned` will not grow
};

/// Turns snapshots into a progress bar (on a terminal: one line, rewritten) or into plain lines (at each change of
/// state or step, else every five seconds when something moved). Pure: time and text go in and out. One thread.
class Progress {
 public:
  Progress(bool terminal, std::size_t columns) : terminal_(terminal), columns_(columns) {}
  /// Returns the text to write now; often empty.
  [[nodiscard]] std::string update(const Snapshot& snapshot, runtime::TimePoint now);
  /// Takes a snapshot in and returns its line, without the line's end: for a view that is redrawn as a whole.
  [[nodiscard]] std::string look(const Snapshot& snapshot, runtime::TimePoint now);
  /// Returns what ends the output: on a terminal, what leaves the line.
  [[nodiscard]] std::string finish() const;

 private:
  struct Sample {
    runtime::TimePoint at;
    std::int64_t done;
    std::int64_t rows;
  };
  [[nodiscard]] std::optional<double> rowsPerSecond() const;
  [[nodiscard]] std::optional<std::chrono::seconds> timeLeft(const Snapshot& snapshot) const;
  [[nodiscard]] std::string describe(const Snapshot& snapshot) const;

  const bool terminal_;
  const std::size_t columns_;
  std::deque<Sample> samples_;  ///< of the present step, the last ten seconds and the first one
  std::optional<Sample> first_;
  std::optional<Snapshot> last_;
  std::string last_line_;
  runtime::TimePoint last_written_{};
};

}  // namespace disttask::ctl
