#pragma once
#include <chrono>
#include <optional>
#include <string>

namespace disttask::app {

// What the service manager is told (Type=notify). Without NOTIFY_SOCKET nothing happens. Any thread; never throws.
// Waits 200 ms at most for a service manager that does not read, then the message is lost.

/// READY=1: the node is registered and works.
void notifyReady(const std::string& status) noexcept;
/// RELOADING=1: the settings are being read again; notifyReady ends it.
void notifyReloading(const std::string& status) noexcept;
/// STOPPING=1: a stop was asked for.
void notifyStopping(const std::string& status) noexcept;
/// STATUS=…: one line for whoever asks how it goes.
void notifyStatus(const std::string& status) noexcept;
/// WATCHDOG=1: the loops of this process move.
void notifyAlive() noexcept;
/// Returns within what time notifyAlive must be called again; nothing when nobody watches (WATCHDOG_USEC).
[[nodiscard]] std::optional<std::chrono::microseconds> watchdogPeriod() noexcept;
/// For how long each call of notifyExtendTimeout asks, many times longer than until the next one.
inline constexpr std::chrono::seconds kExtendBy{30};
/// EXTEND_TIMEOUT_USEC=…: starting or stopping goes on; be patient for this long from now.
void notifyExtendTimeout(std::chrono::microseconds duration, const std::string& status) noexcept;

}  // namespace disttask::app
