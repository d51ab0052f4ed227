#pragma once
#include "disttask/plugin/connection_source.hpp"
#include "disttask/runtime/clock.hpp"
#include "disttask_plugin.h"
#include "host_services.hpp"

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace disttask::plugin {

/// What stands behind the disttask_host of one call into a plugin. Lives on the stack of the thread that makes the
/// call; the plugin may use it from any thread meanwhile. No function of its table throws.
class HostCall {
 public:
  HostCall(const HostServices& services, const CallNames& names, runtime::CancelToken token);
  HostCall(const HostCall&) = delete;
  HostCall& operator=(const HostCall&) = delete;
  virtual ~HostCall() = default;

  [[nodiscard]] const disttask_host* abi() const noexcept { return &abi_; }
  [[nodiscard]] const runtime::CancelToken& token() const noexcept { return token_; }
  [[nodiscard]] const CallNames& names() const noexcept { return names_; }
  /// True once the plugin was told that the subtask is not this node's any more.
  [[nodiscard]] bool wasLost() const noexcept { return lost_.load(); }
  void setLost() noexcept { lost_.store(true); }
  /// Logs that the plugin broke a rule of the ABI.
  void logMisbehaving(std::string_view what) const noexcept;

 protected:
  /// Waits, less when cancelled.
  virtual void sleepFor(runtime::Duration duration);
  /// The plugin logged this line, and it is in the log.
  virtual void noteLogLine(std::string_view /*level*/, std::string_view /*text*/) {}

 private:
  friend struct HostTable;        // host_call.cpp: the functions of disttask_host
  friend struct ConnectionTable;  // host_connection.cpp: those of the connection extension
  const HostServices& services_;
  const CallNames names_;
  const runtime::CancelToken token_;
  std::atomic<bool> lost_{false};
  disttask_host abi_;
};

/// The extension DISTTASK_EXT_HOST_CONNECTION.
[[nodiscard]] const disttask_ext_connection& connectionExtension() noexcept;

}  // namespace disttask::plugin
