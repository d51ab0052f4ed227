#include "child_report.hpp"

#include "disttask/base/error.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <limits>

namespace disttask::plugin {
namespace {

// The child tells the parent what it is about to do, then what came of it, one line each.
constexpr char kStepMark = 'S';
constexpr char kReportMark = 'R';

void sendLine(int out, char mark, const std::string& text) {
  const std::string line = mark + text + "\n";
  std::size_t sent = 0;
  while (sent < line.size()) {
    const ssize_t count = ::write(out, line.data() + sent, line.size() - sent);
    if (count < 0 && errno != EINTR) return;  // the parent is gone: nobody wants it
    if (count > 0) sent += static_cast<std::size_t>(count);
  }
}

using Work = std::function<Json(const std::function<void(const std::string&)>& tell)>;

[[noreturn]] void runChild(const Work& work, int out) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int crash : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP})
    ::signal(crash, SIG_DFL);  // handlers of the tool are not for this
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);  // stdout is the tool's own
  try {
    sendLine(out, kReportMark, work([out](const std::string& step) { sendLine(out, kStepMark, step); }).dump());
  } catch (...) {
    Json report;
    report["problem"] = currentError().message();
    sendLine(out, kReportMark, report.dump());
  }
  ::_exit(0);
}

/// Reads lines until the child closes its end; false when `deadline` came first.
bool readLines(int in, const runtime::Deadline& deadline, std::string& lines) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.left()).count();
    pollfd ready{in, POLLIN, 0};
    const int count =
        ::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left, std::numeric_limits<int>::max())));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    char buffer[4096];
    const ssize_t size = ::read(in, buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return true;
    lines.append(buffer, static_cast<std::size_t>(size));
  }
}

std::string describeEnd(int status, bool timed_out, runtime::Duration limit) {
  if (timed_out) {
    return "did not come back within " +
           std::to_string(std::chrono::duration_cast<std::chrono::seconds>(limit).count()) + " s";
  }
  if (WIFSIGNALED(status)) {
    const int number = WTERMSIG(status);
    return "crashed with signal " + std::to_string(number) + " (" + ::strsignal(number) + ")";
  }
  return "ended the process with exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

ChildReport runInChild(const Work& work, runtime::Duration limit) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw Exception(ErrorCode::kInternal, std::string("pipe: ") + std::strerror(errno));
  const runtime::Deadline deadline(runtime::systemClock(), limit);
  const pid_t child = ::fork();
  if (child < 0) {
    const int reason = errno;
    ::close(ends[0]);
    ::close(ends[1]);
    throw Exception(ErrorCode::kInternal, std::string("fork: ") + std::strerror(reason));
  }
  if (child == 0) runChild(work, ends[1]);
  ::close(ends[1]);
  std::string lines;
  const bool timed_out = !readLines(ends[0], deadline, lines);
  if (timed_out) ::kill(child, SIGKILL);
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }

  std::string step = "starting";
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = lines.find('\n', at);
    if (end == std::string::npos) break;  // cut off by the child's end
    const std::string text = lines.substr(at + 1, end - at - 1);
    if (lines[at] == kReportMark) return {Json::parse(text), ""};
    step = text;
    at = end + 1;
  }
  return {nullptr, describeEnd(status, timed_out, limit) + " while " + step};
}

}  // namespace disttask::plugin
