#include "sd_notify.hpp"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdint>

namespace disttask::app {
namespace {

/// A status is one line; the protocol separates assignments by line breaks.
std::string statusLine(std::string status) {
  std::replace(status.begin(), status.end(), '\n', ' ');
  return "STATUS=" + status;
}

void send(const std::string& text) noexcept {
  // Nothing depends on the answer: without a service manager there is nobody to tell.
  (void)sd_notify(0, text.c_str());
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
