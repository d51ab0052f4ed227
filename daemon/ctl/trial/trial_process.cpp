#include "trial_process.hpp"

#include "disttask/observability/log.hpp"
#include "disttask/plugin/plugin_loader.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace disttask::ctl {
namespace {

std::shared_ptr<plugin::TaskType> chooseType(const plugin::TaskTypes& types, const std::string& name) {
  const auto all = types.all();
  if (name.empty() && all.size() == 1) return all.front();
  for (const auto& type : all) {
    if (type->name() == name) return type;
  }
  std::string names;
  for (const auto& type : all) names += (names.empty() ? "" : ", ") + type->name();
  throw Exception(
      ErrorCode::kInvalidArgument,
      name.empty() ? "the plugin has several task types, choose one by --type: " + names
                   : "the plugin has no task type '" + name + "', only " + names
  );
}

bool hasByte(int control) {
  pollfd ready{control, POLLIN, 0};
  if (::poll(&ready, 1, 0) <= 0 || (ready.revents & POLLIN) == 0) return false;
  char byte = 0;
  return ::read(control, &byte, 1) == 1;
}

[[noreturn]] void runChild(const TrialTask& task, int control) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int crash : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP}) ::signal(crash, SIG_DFL);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);  // stdout is the tool's own
  observability::setLevel(observability::Level::kInfo);
  int code = 0;
  try {
    plugin::TaskTypes types;
    plugin::NoConnections connections;
    plugin::PluginLoader loader({}, types, connections, runtime::systemClock());
    const auto loaded = loader.load(task.plugin);
    if (!loaded) throw Exception(loaded.error());
    runTrial(task.settings, chooseType(types, task.type), task.rows, [control] { return hasByte(control); });
  } catch (...) {
    std::fprintf(stderr, "disttaskctl: %s\n", currentError().message().c_str());
    code = kTrialRefused;
  }
  std::fflush(nullptr);
  ::_exit(code);
}

}  // namespace

TrialProcess::TrialProcess(const TrialTask& task) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw Exception(ErrorCode::kInternal, std::string("pipe: ") + std::strerror(errno));
  std::fflush(nullptr);
  child_ = ::fork();
  if (child_ < 0) {
    const int reason = errno;
    ::close(ends[0]);
    ::close(ends[1]);
    throw Exception(ErrorCode::kInternal, std::string("fork: ") + std::strerror(reason));
  }
  if (child_ == 0) {
    ::close(ends[1]);
    runChild(task, ends[0]);
  }
  ::close(ends[0]);
  control_ = ends[1];
}

TrialProcess::~TrialProcess() {
  kill();
  ::close(control_);
}

std::optional<int> TrialProcess::status() {
  int status = 0;
  if (!status_ && ::waitpid(child_, &status, WNOHANG) == child_) status_ = status;
  return status_;
}

void TrialProcess::cancel() const {
  // A child that has ended needs no cancel; writing to it must not end this process.
  const auto before = ::signal(SIGPIPE, SIG_IGN);
  static_cast<void>(::write(control_, "c", 1) == 1);
  ::signal(SIGPIPE, before);
}

void TrialProcess::kill() {
  if (status_) return;
  ::kill(child_, SIGKILL);
  int status = 0;
  while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
  status_ = status;
}

}  // namespace disttask::ctl
