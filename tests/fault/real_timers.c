/* Preloaded before libfaketime: that library also shifts absolute times of monotonic timers, which then never fire (it
   takes "one nanosecond after the start" for a wall clock time). Here only wall clocks are to be stepped, so timers and
   waits go to the kernel as they are. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

__attribute__((visibility("default"))) int timerfd_settime(
    int file, int flags, const struct itimerspec* value, struct itimerspec* old
) {
  return (int)syscall(SYS_timerfd_settime, file, flags, value, old);
}

__attribute__((visibility("default"))) int epoll_wait(int file, struct epoll_event* events, int count, int timeout) {
  return (int)syscall(SYS_epoll_pwait, file, events, count, timeout, (void*)0, _NSIG / 8);
}
