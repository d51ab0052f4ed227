#include "host_call.hpp"

#include "abi_text.hpp"
#include "disttask/base/utf8.hpp"

#include <algorithm>
#include <chrono>

namespace disttask::plugin {

/// The functions of disttask_host. None throws: there is a plugin's frame above.
struct HostTable {
  static HostCall& of(const disttask_host* host) noexcept { return *static_cast<HostCall*>(host->impl); }

  static const void* getExtension(const disttask_host*, disttask_str id) noexcept {
    return fromAbi(id) == DISTTASK_EXT_HOST_CONNECTION ? &connectionExtension() : nullptr;
  }

  static void log(const disttask_host* host, std::int32_t level, disttask_str message) noexcept {
    try {
      HostCall& call = of(host);
      const auto text = toValidUtf8(fromAbi(message), kMaxLogBytes);
      const auto logged = call.services_.logPlugin(level, text, call.names_);
      if (!logged.empty()) call.noteLogLine(logged, text);
    } catch (...) {
      // Out of memory: the message is dropped, the work goes on.
    }
  }

  static std::int32_t cancelCause(const disttask_host* host) noexcept {
    const HostCall& call = of(host);
    if (call.wasLost()) return DISTTASK_CAUSE_SUBTASK_MOVED;
    return static_cast<std::int32_t>(call.token_.cause());
  }

  static std::int32_t wait(const disttask_host* host, std::int64_t milliseconds) noexcept {
    constexpr std::int64_t kLongest = std::int64_t{1000} * 3600 * 24 * 365;  // far from where nanoseconds overflow
    try {
      if (milliseconds > 0) of(host).sleepFor(std::chrono::milliseconds(std::min(milliseconds, kLongest)));
    } catch (...) {
      // A wait that cannot be made ends early; the plugin sees the cause, and whoever needs the time waits again.
    }
    return cancelCause(host);
  }
};

HostCall::HostCall(const HostServices& services, const CallNames& names, runtime::CancelToken token)
    : services_(services),
      names_(names),
      token_(std::move(token)),
      abi_{
          sizeof(disttask_host),
          0,
          this,
          &HostTable::getExtension,
          &HostTable::log,
          &HostTable::cancelCause,
          &HostTable::wait} {}

void HostCall::logMisbehaving(std::string_view what) const noexcept {
  try {
    services_.logMisbehaving(what, names_);
  } catch (...) {
    // Out of memory: what follows from the misbehaviour does not depend on the message.
  }
}

void HostCall::sleepFor(runtime::Duration duration) {
  runtime::Wakeup never_notified(services_.clock);
  never_notified.waitFor(token_, duration);
}

}  // namespace disttask::plugin
