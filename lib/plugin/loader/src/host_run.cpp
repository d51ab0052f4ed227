#include "host_run.hpp"

#include "abi_status.hpp"
#include "abi_text.hpp"

#include <algorithm>

namespace disttask::plugin {

/// The functions of disttask_run.
struct RunTable {
  static HostRun& of(const disttask_run* run) noexcept { return *static_cast<HostRun*>(run->impl); }

  static void addProgress(
      const disttask_run* run, std::int64_t rows, std::int64_t bytes, std::int64_t read_bytes
  ) noexcept {
    HostRun& call = of(run);
    if (rows < 0 || bytes < 0 || read_bytes < 0) {
      call.logMisbehaving("add_progress was given a negative number; counters only grow");
      return;
    }
    call.context_.addProgress(rows, bytes, read_bytes);
  }

  static disttask_status getCheckpoint(
      const disttask_run* run, disttask_sink checkpoint, disttask_sink error
  ) noexcept {
    try {
      writeTo(checkpoint, of(run).context_.getCheckpoint());
      return DISTTASK_OK;
    } catch (...) {
      return noteLost(run, currentStatus(error));
    }
  }

  static disttask_status putCheckpoint(const disttask_run* run, disttask_str checkpoint, disttask_sink error) noexcept {
    try {
      if (checkpoint.len > kMaxOutputBytes) {
        writeTo(error, "a checkpoint may have up to " + std::to_string(kMaxOutputBytes >> 20) + " MiB");
        return DISTTASK_FAILED;
      }
      of(run).context_.putCheckpoint(std::string(fromAbi(checkpoint)));
      return DISTTASK_OK;
    } catch (...) {
      return noteLost(run, currentStatus(error));
    }
  }

  static std::int64_t runToken(const disttask_run* run) noexcept { return of(run).context_.runToken().value(); }

  static std::int64_t validForMs(const disttask_run* run) noexcept {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(of(run).context_.validFor());
    return std::max<std::int64_t>(left.count(), 0);
  }

 private:
  /// The store may know that the row is gone before the run is cancelled for it; from here on the plugin sees it as
  /// cancelled.
  static disttask_status noteLost(const disttask_run* run, disttask_status status) noexcept {
    HostRun& call = of(run);
    if (status == DISTTASK_CANCELLED && !call.token().cancelled()) call.setLost();
    return status;
  }
};

HostRun::HostRun(const HostServices& services, const CallNames& names, RunContext& context)
    : HostCall(services, names, context.token()),
      context_(context),
      run_{
          sizeof(disttask_run),
          0,
          abi(),
          this,
          &RunTable::addProgress,
          &RunTable::getCheckpoint,
          &RunTable::putCheckpoint,
          &RunTable::runToken,
          &RunTable::validForMs} {}

void HostRun::sleepFor(runtime::Duration duration) {
  context_.sleepFor(duration);
}

void HostRun::noteLogLine(std::string_view level, std::string_view text) {
  context_.noteLogLine(level, text);
}

}  // namespace disttask::plugin
