#include "sd_notify.hpp"

#include "disttask/base/utf8.hpp"
#include "environment.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace disttask::app {
namespace {

constexpr int kMostWaitMs = 200;

/// A status is one line; the protocol separates assignments by line breaks.
/// A message of more than 4096 bytes is dropped as a whole, READY=1 with it.
constexpr std::size_t kLongestStatus = 1024;

std::string statusLine(std::string status) {
  std::replace(status.begin(), status.end(), '\n', ' ');
  return "STATUS=" + toValidUtf8(status, kLongestStatus);
}

/// As sd_notify, which waits for as long as the service manager does not read: that would hold up the loops that the
/// watchdog looks at.
void send(std::string_view text) noexcept {
  const auto path = environmentValue("NOTIFY_SOCKET").value_or("");
  sockaddr_un address{};
  if (path.empty() || path.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // not in the file system
  const auto* const raw = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return;
  // Nothing depends on the answer: without a service manager there is nobody to tell.
  if (::connect(socket, raw, size) == 0 && ::send(socket, text.data(), text.size(), MSG_NOSIGNAL) < 0 &&
      errno == EAGAIN) {
    pollfd room{socket, POLLOUT, 0};
    if (::poll(&room, 1, kMostWaitMs) > 0) (void)::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
  }
  ::close(socket);
}

}  // namespace

void notifyReady(const std::string& status) noexcept {
  send("READY=1\n" + statusLine(status));
}
void notifyReloading(const std::string& status) noexcept {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();  // CLOCK_MONOTONIC
  const auto count = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(count) + "\n" + statusLine(status));
}
void notifyStopping(const std::string& status) noexcept {
  send("STOPPING=1\n" + statusLine(status));
}
void notifyStatus(const std::string& status) noexcept {
  send(statusLine(status));
}
void notifyAlive() noexcept {
  send("WATCHDOG=1");
}
std::optional<std::chrono::microseconds> watchdogPeriod() noexcept {
  std::uint64_t period = 0;
  if (sd_watchdog_enabled(0, &period) <= 0) return std::nullopt;
  return std::chrono::microseconds(period);
}
void notifyExtendTimeout(std::chrono::microseconds duration, const std::string& status) noexcept {
  send("EXTEND_TIMEOUT_USEC=" + std::to_string(duration.count()) + "\n" + statusLine(status));
}

}  // namespace disttask::app
