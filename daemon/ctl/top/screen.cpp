#include "screen.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

namespace disttask::ctl {
namespace {

volatile std::sig_atomic_t leave_signal = 0;
volatile std::sig_atomic_t resized = 0;
constexpr std::array<int, 4> kLeaveSignals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
std::array<struct sigaction, 5> actions_before{};

void onLeave(int number) {
  leave_signal = number;
}
void onResized(int) {
  resized = 1;
}

void put(const std::string& text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    const auto count = ::write(STDOUT_FILENO, text.data() + sent, text.size() - sent);
    if (count < 0 && errno != EINTR) return;  // nobody looks any more
    if (count > 0) sent += static_cast<std::size_t>(count);
  }
}

}  // namespace

Screen::Screen() {
  leave_signal = 0;
  struct sigaction action {};
  action.sa_flags = SA_RESTART;  // a call to the store goes on
  action.sa_handler = onLeave;
  for (std::size_t i = 0; i < kLeaveSignals.size(); ++i) ::sigaction(kLeaveSignals[i], &action, &actions_before[i]);
  action.sa_handler = onResized;
  ::sigaction(SIGWINCH, &action, &actions_before.back());
  has_termios_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
  if (has_termios_) {
    auto raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    raw.c_cc[VSUSP] = _POSIX_VDISABLE;  // a stopped program would leave its picture to the shell
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  put("\x1b[?1049h\x1b[?25l\x1b[2J");
}

Screen::~Screen() {
  put("\x1b[?25h\x1b[?1049l");
  if (has_termios_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  for (std::size_t i = 0; i < kLeaveSignals.size(); ++i) ::sigaction(kLeaveSignals[i], &actions_before[i], nullptr);
  ::sigaction(SIGWINCH, &actions_before.back(), nullptr);
}

TopSize Screen::size() const {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

void Screen::draw(const std::vector<std::string>& lines) const {
  // Each line is written over and its rest cleared: nothing flickers.
  std::string text = "\x1b[H";
  for (std::size_t i = 0; i < lines.size(); ++i) text += (i == 0 ? "" : "\r\n") + lines[i] + "\x1b[K";
  put(text + "\x1b[J");
}

Screen::Event Screen::wait(std::chrono::milliseconds limit, char& key) const {
  if (leave_signal != 0) return Event::kLeave;
  if (resized == 0) {
    pollfd ready{STDIN_FILENO, POLLIN, 0};
    const int count = ::poll(&ready, 1, static_cast<int>(limit.count()));
    if (leave_signal != 0) return Event::kLeave;
    if (count > 0) {
      // The terminal is gone when nothing can be read.
      return ::read(STDIN_FILENO, &key, 1) == 1 ? Event::kKey : Event::kLeave;
    }
  }
  if (resized != 0) {
    resized = 0;
    return Event::kResized;
  }
  return Event::kTime;
}

int Screen::signal() noexcept {
  return leave_signal;
}

}  // namespace disttask::ctl
