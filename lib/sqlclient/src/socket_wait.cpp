// The connector keeps its socket to itself. The kernel knows it: /proc tells which call a blocked thread is in, and its
// arguments.
#include "socket_wait.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <string>

namespace disttask::sqlclient {

namespace {

/// Closes at the end.
class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int get() const noexcept { return number_; }

 private:
  int number_;
};

/// A system call that a thread is blocked in.
struct BlockedCall {
  std::int64_t number = -1;  // -1: not blocked in one
  std::array<std::uint64_t, 2> arguments{};
};

BlockedCall blockedCallOf(int thread_id) noexcept {
  std::array<char, 64> path{};
  std::snprintf(path.data(), path.size(), "/proc/self/task/%d/syscall", thread_id);
  const Descriptor file(::open(path.data(), O_RDONLY | O_CLOEXEC));
  std::array<char, 256> text{};
  if (file.get() < 0 || ::read(file.get(), text.data(), text.size() - 1) <= 0) return {};
  // "NUMBER ARG0 ARG1 …", or "running".
  long long number = -1;
  unsigned long long first = 0;
  unsigned long long second = 0;
  if (std::sscanf(text.data(), "%lld %llx %llx", &number, &first, &second) != 3) return {};
  return {number, {first, second}};
}

/// Returns the first descriptor of a poll set; -1 when it cannot be read. Through /proc, because the set is the other
/// thread's and may be gone by now.
int firstPolled(std::uint64_t address, std::uint64_t count) noexcept {
  ::pollfd first{};
  const Descriptor memory(::open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
  if (count == 0 || memory.get() < 0) return -1;
  const auto got = ::pread(memory.get(), &first, sizeof first, static_cast<off_t>(address));
  return got == static_cast<ssize_t>(sizeof first) ? first.fd : -1;
}

int descriptorOf(const BlockedCall& call) noexcept {
  switch (call.number) {
    case SYS_read:
    case SYS_write:
    case SYS_recvfrom:
    case SYS_sendto:
    case SYS_recvmsg:
    case SYS_sendmsg:
    case SYS_connect:
      return static_cast<int>(call.arguments[0]);
#ifdef SYS_poll
    case SYS_poll:
#endif
    case SYS_ppoll:
      return firstPolled(call.arguments[0], call.arguments[1]);
    default:
      return -1;
  }
}

bool isSameFile(int left, int right) noexcept {
  struct stat a {};
  struct stat b {};
  return ::fstat(left, &a) == 0 && ::fstat(right, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool isStreamSocket(int descriptor) noexcept {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

}  // namespace

bool cutSocketWait(int thread_id) noexcept {
  const int seen = descriptorOf(blockedCallOf(thread_id));
  // What the process was started with is no store: a log line may be on its way to the journal's socket there.
  if (seen <= STDERR_FILENO) return false;
  // The number may be another file's by now. A copy keeps what it stands for while we look again.
  const Descriptor copy(::fcntl(seen, F_DUPFD_CLOEXEC, 0));
  if (copy.get() < 0 || !isStreamSocket(copy.get())) return false;
  if (descriptorOf(blockedCallOf(thread_id)) != seen || !isSameFile(copy.get(), seen)) return false;
  return ::shutdown(copy.get(), SHUT_RDWR) == 0;
}

}  // namespace disttask::sqlclient
