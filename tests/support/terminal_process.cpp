#include "support/terminal_process.hpp"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace disttask::test {
namespace {

winsize toWinsize(TerminalSize size) {
  winsize found{};
  found.ws_col = static_cast<unsigned short>(size.columns);
  found.ws_row = static_cast<unsigned short>(size.rows);
  return found;
}

}  // namespace

TerminalProcess::TerminalProcess(
    const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment, TerminalSize size
)
    : size_(size) {
  auto argument_texts = arguments;
  auto environment_texts = environmentWith(environment);
  const auto argv = pointersTo(argument_texts);
  const auto envp = pointersTo(environment_texts);
  const auto wanted = toWinsize(size);
  if (::openpty(&ours_, &theirs_, nullptr, nullptr, &wanted) != 0)
    throw std::system_error(errno, std::generic_category(), "openpty");
  for (const int end : {ours_, theirs_}) ::fcntl(end, F_SETFD, FD_CLOEXEC);
  ::fcntl(ours_, F_SETFL, O_NONBLOCK);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {  // only async-signal-safe calls from here: the test may have threads
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent || ::login_tty(theirs_) != 0) ::_exit(127);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execvpe(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
}

TerminalProcess::~TerminalProcess() {
  if (!end_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  hangUp();
}

void TerminalProcess::type(std::string_view keys) const {
  if (::write(ours_, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size()))
    throw std::system_error(errno, std::generic_category(), "typing");
}

void TerminalProcess::resize(TerminalSize size) {
  size_ = size;
  const auto wanted = toWinsize(size);
  if (::ioctl(ours_, TIOCSWINSZ, &wanted) != 0) throw std::system_error(errno, std::generic_category(), "TIOCSWINSZ");
}

void TerminalProcess::kill(int signal) const {
  if (!end_) ::kill(pid_, signal);
}

void TerminalProcess::hangUp() {
  for (int* const end : {&theirs_, &ours_}) {
    if (*end >= 0) ::close(*end);
    *end = -1;
  }
}

std::optional<ChildProcess::End> TerminalProcess::wait(std::chrono::nanoseconds limit) {
  const bool ended = end_.has_value() || eventually(limit, [this] {
                       static_cast<void>(written());  // a full terminal would hold it up
                       int status = 0;
                       if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
                       end_ = WIFSIGNALED(status) ? ChildProcess::End{-1, WTERMSIG(status)}
                                                  : ChildProcess::End{WEXITSTATUS(status), 0};
                       return true;
                     });
  return ended ? end_ : std::nullopt;
}

const std::string& TerminalProcess::written() {
  std::array<char, 4096> buffer{};
  ssize_t size = 0;
  while (ours_ >= 0 && (size = ::read(ours_, buffer.data(), buffer.size())) > 0)
    written_.append(buffer.data(), static_cast<std::size_t>(size));
  return written_;
}

bool TerminalProcess::waitForText(const std::string& text, std::size_t begin) {
  return eventually([&] { return picture(begin).text().find(text) != std::string::npos; });
}

termios TerminalProcess::modes() const {
  termios found{};
  if (::tcgetattr(theirs_, &found) != 0) throw std::system_error(errno, std::generic_category(), "tcgetattr");
  return found;
}

bool areSame(const termios& a, const termios& b) {
  return a.c_iflag == b.c_iflag && a.c_oflag == b.c_oflag && a.c_cflag == b.c_cflag && a.c_lflag == b.c_lflag &&
         std::equal(std::begin(a.c_cc), std::end(a.c_cc), std::begin(b.c_cc));
}

}  // namespace disttask::test
