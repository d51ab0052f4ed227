#include "interrupt.hpp"

#include <csignal>
#include <initializer_list>

namespace disttask::ctl {
namespace {

volatile std::sig_atomic_t seen_signal = 0;

void note(int signal) {
  seen_signal = signal;
}

void setHandler(int signal, void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

InterruptWatch::InterruptWatch() {
  seen_signal = 0;
  // The second one meets the default action; calls to the store go on after the first.
  for (const int signal : {SIGINT, SIGTERM}) setHandler(signal, note, SA_RESTART | static_cast<int>(SA_RESETHAND));
}

InterruptWatch::~InterruptWatch() {
  for (const int signal : {SIGINT, SIGTERM}) setHandler(signal, SIG_DFL, 0);
}

int InterruptWatch::signal() const noexcept {
  return seen_signal;
}

}  // namespace disttask::ctl
