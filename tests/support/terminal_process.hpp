#pragma once
#include "support/child_process.hpp"
#include <sys/types.h>
#include <termios.h>

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::test {

struct TerminalSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

/// What somebody sees who looks at a terminal.
struct Picture {
  std::vector<std::string> lines;  ///< of the screen, without blanks at their ends
  std::size_t num_wrapped = 0;     ///< lines so far that were wider than the screen
  bool is_other_screen = false;    ///< the one of full-screen programs
  bool has_cursor = true;
  [[nodiscard]] std::string text() const;
};

/// Draws what was written to an empty terminal of this size, as far as our programs use one. Other escape sequences
/// are skipped.
[[nodiscard]] Picture drawTerminal(std::string_view written, TerminalSize size);

/// A program whose stdin, stdout and stderr are a terminal of its own. It is killed (-9) and waited for at the end.
/// Test's thread only.
class TerminalProcess {
 public:
  TerminalProcess(
      const std::vector<std::string>& arguments,
      const std::map<std::string, std::string>& environment,
      TerminalSize size
  );
  TerminalProcess(const TerminalProcess&) = delete;
  TerminalProcess& operator=(const TerminalProcess&) = delete;
  ~TerminalProcess();

  /// Types, Ctrl-C included ("\x03").
  void type(std::string_view keys) const;
  /// Gives the terminal another size; the program gets SIGWINCH.
  void resize(TerminalSize size);
  void kill(int signal) const;
  /// Closes the terminal, as when its window is closed: there is nothing more to see.
  void hangUp();
  /// Waits for its end; nothing when it still runs after `limit`.
  [[nodiscard]] std::optional<ChildProcess::End> wait(std::chrono::nanoseconds limit = kSoon);
  [[nodiscard]] bool isRunning() { return !wait(std::chrono::nanoseconds(0)); }

  /// Returns all that was written so far.
  [[nodiscard]] const std::string& written();
  /// Draws what was written from `begin` on.
  [[nodiscard]] Picture picture(std::size_t begin = 0) { return drawTerminal(written().substr(begin), size_); }
  /// Waits until the picture of what was written from `begin` on holds `text`.
  [[nodiscard]] bool waitForText(const std::string& text, std::size_t begin = 0);
  /// Returns how the terminal treats what is typed and written.
  [[nodiscard]] termios modes() const;

 private:
  TerminalSize size_;
  int ours_ = -1;    ///< our end
  int theirs_ = -1;  ///< kept open: a terminal that nobody has open forgets its modes
  pid_t pid_ = -1;
  std::optional<ChildProcess::End> end_;
  std::string written_;
};

/// True when both treat what is typed and written alike.
[[nodiscard]] bool areSame(const termios& a, const termios& b);

}  // namespace disttask::test
