#pragma once
#include "trial_run.hpp"

#include <sys/types.h>

#include <optional>
#include <string>

namespace disttask::ctl {

/// What a process of a trial is told.
struct TrialTask {
  std::string plugin;  ///< the shared object
  std::string type;    ///< empty = the only one
  std::filesystem::path rows;
  TrialSettings settings;
};

/// A child process that loads the plugin and runs the task of the rows as far as it is. It is a new life of the one
/// node: what the rows show as running is not its own. What it logs goes to stderr. Forks: only from a process with one
/// thread. The child ends with this object.
class TrialProcess {
 public:
  explicit TrialProcess(const TrialTask& task);
  TrialProcess(const TrialProcess&) = delete;
  TrialProcess& operator=(const TrialProcess&) = delete;
  ~TrialProcess();

  /// How it ended; nothing: it goes on.
  [[nodiscard]] std::optional<int> status();
  /// Asks it to cancel the task.
  void cancel() const;
  /// Ends it as kill -9 does, and waits for its end.
  void kill();

 private:
  pid_t child_ = -1;
  int control_ = -1;  ///< what is written here asks for the cancel
  std::optional<int> status_;
};

/// Exit code of the child when the plugin cannot be used; the reason is on stderr.
inline constexpr int kTrialRefused = 5;

}  // namespace disttask::ctl
