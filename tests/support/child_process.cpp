#include "support/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace disttask::test {

namespace {

int openForWriting(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) throw std::system_error(errno, std::generic_category(), path.string());
  return file;
}

}  // namespace

std::vector<std::string> environmentWith(const std::map<std::string, std::string>& changes) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text(*entry);
    if (!changes.contains(text.substr(0, text.find('=')))) all.push_back(text);
  }
  for (const auto& [name, value] : changes) {
    if (!value.empty()) all.push_back(name + "=" + value);
  }
  return all;
}

std::vector<char*> pointersTo(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

ChildProcess::ChildProcess(
    const std::vector<std::string>& arguments,
    const std::map<std::string, std::string>& environment,
    const std::filesystem::path& folder
) {
  auto argument_texts = arguments;
  auto environment_texts = environmentWith(environment);
  const auto argv = pointersTo(argument_texts);
  const auto envp = pointersTo(environment_texts);
  const auto folder_text = folder.string();
  const int out = openForWriting(folder_ / "stdout");
  const int err = openForWriting(folder_ / "stderr");
  std::array<int, 2> failure{};  // carries errno of a failed exec
  if (::pipe2(failure.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {  // only async-signal-safe calls from here: the test may have threads
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (folder_text.empty() || ::chdir(folder_text.c_str()) == 0) ::execvpe(argv[0], argv.data(), envp.data());
    const int why = errno;
    [[maybe_unused]] const auto written = ::write(failure[1], &why, sizeof why);
    ::_exit(127);
  }
  const int fork_errno = errno;
  ::close(out);
  ::close(err);
  ::close(failure[1]);
  int why = pid_ < 0 ? fork_errno : 0;
  if (pid_ > 0 && ::read(failure[0], &why, sizeof why) == static_cast<ssize_t>(sizeof why)) {
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(failure[0]);
  if (why != 0) throw std::system_error(why, std::generic_category(), "cannot start " + arguments.front());
}

ChildProcess::~ChildProcess() {
  if (end_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void ChildProcess::kill(int signal) const {
  if (!end_) ::kill(pid_, signal);
}

std::optional<ChildProcess::End> ChildProcess::wait(std::chrono::nanoseconds limit) {
  const bool ended = end_.has_value() || eventually(limit, [this] {
                       int status = 0;
                       if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
                       end_ = WIFSIGNALED(status) ? End{-1, WTERMSIG(status)} : End{WEXITSTATUS(status), 0};
                       return true;
                     });
  return ended ? end_ : std::nullopt;
}

bool ChildProcess::isRunning() {
  return !wait(std::chrono::nanoseconds(0));
}

std::string ChildProcess::output() const {
  return readFile(folder_ / "stdout");
}

std::string ChildProcess::errors() const {
  return readFile(folder_ / "stderr");
}

bool ChildProcess::waitForText(const std::string& text, std::chrono::nanoseconds limit) const {
  return eventually(limit, [&] {
    return output().find(text) != std::string::npos || errors().find(text) != std::string::npos;
  });
}

}  // namespace disttask::test
