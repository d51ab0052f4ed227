#pragma once
#include <functional>
#include <string>
#include <string_view>

namespace disttask {

/// Named test hooks: `DISTTASK_FAILPOINT("executor.before_finish")` does nothing unless a test, or the environment
/// variable DISTTASK_FAILPOINTS of a test build, arms that name. Compiled out unless the build defines
/// DISTTASK_FAILPOINTS.
///
/// Text form, for child processes: `name=action;name=action`, where action is `exit` (ends the process as kill -9
/// would), `stop` (SIGSTOP to itself), `throw` (an Exception with reaction kRetry) or `touch:PATH` (creates the file,
/// then waits until it is removed); `N*action` arms only the N-th pass.
class Failpoints {
 public:
  /// Arms `name`; `action` runs on the thread that passes. Replaces an older one. Any thread.
  static void arm(std::string name, std::function<void()> action);
  static void disarm(std::string_view name);
  static void disarmAll();
  /// Arms from the text form; throws kInvalidArgument that names the item.
  static void armFromText(std::string_view text);
  /// Runs the action of `name`, if armed. Any thread; an action that throws throws here.
  static void pass(std::string_view name);
};

}  // namespace disttask

#ifdef DISTTASK_FAILPOINTS
#define DISTTASK_FAILPOINT(name) ::disttask::Failpoints::pass(name)
#else
#define DISTTASK_FAILPOINT(name) static_cast<void>(0)
#endif
