#pragma once
#include "support/temp_dir.hpp"
#include "support/wait.hpp"
#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace disttask::test {

/// Returns the test's own environment as NAME=VALUE with `changes`; an empty value removes the name.
[[nodiscard]] std::vector<std::string> environmentWith(const std::map<std::string, std::string>& changes);
/// Returns the texts as exec takes them, for as long as `texts` is not changed.
[[nodiscard]] std::vector<char*> pointersTo(std::vector<std::string>& texts);

/// A program that a test started: its output is kept in files, and it is killed (-9) and waited for at the end. It dies
/// with the thread that started it. Thread-compatible.
class ChildProcess {
 public:
  /// How it ended: an exit code, or the signal that ended it.
  struct End {
    int exit_code = -1;  ///< -1 when a signal ended it
    int signal = 0;
  };

  /// Starts `arguments` (the first is the program, looked up in PATH when it has no slash). `environment` is set beside
  /// the test's own; an empty value removes the name. Throws std::system_error when it cannot start.
  explicit ChildProcess(
      const std::vector<std::string>& arguments,
      const std::map<std::string, std::string>& environment = {},
      const std::filesystem::path& folder = {}
  );
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// Sends a signal; nothing when it has ended and was waited for.
  void kill(int signal) const;
  /// Waits for its end; nothing when it still runs after `limit`.
  [[nodiscard]] std::optional<End> wait(std::chrono::nanoseconds limit = kSoon);
  [[nodiscard]] bool isRunning();

  /// Returns what it has written so far.
  [[nodiscard]] std::string output() const;
  [[nodiscard]] std::string errors() const;
  /// Waits until its stdout or stderr holds `text`; false when it does not within `limit`.
  [[nodiscard]] bool waitForText(const std::string& text, std::chrono::nanoseconds limit = kSoon) const;

 private:
  TempDir folder_;
  pid_t pid_ = -1;
  std::optional<End> end_;
};

}  // namespace disttask::test
