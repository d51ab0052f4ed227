#pragma once
#include "disttask/base/error.hpp"

namespace disttask::app {

// Exit codes of disttaskd (docs/operations.md explains them; deploy/systemd uses them). sysexits.h where it has a
// fitting one.
inline constexpr int kExitClean = 0;
inline constexpr int kExitInternal = 1;   ///< something broke that has no code of its own; the last log line says what
inline constexpr int kExitUsage = 2;      ///< wrong command line
inline constexpr int kExitStateDir = 73;  ///< node.state_dir is locked by another process of this host
inline constexpr int kExitRunStuck =
    75;  ///< a run did not return before the lease ended, or at a stop: the process left without it
inline constexpr int kExitSchema = 76;         ///< the store's schema is missing or of another version
inline constexpr int kExitLogin = 77;          ///< the store refused the login or a right
inline constexpr int kExitConfig = 78;         ///< settings or plugins are wrong
inline constexpr int kExitSecondSignal = 130;  ///< a second SIGTERM or SIGINT: left at once, without giving work back

/// Returns the exit code of a daemon that ends with this error.
[[nodiscard]] constexpr int exitCodeOf(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kInvalidConfig:
    case ErrorCode::kStoreSessionUnfit:
    case ErrorCode::kUnsupported:
      return kExitConfig;
    case ErrorCode::kStoreNoPrivilege:
      return kExitLogin;
    case ErrorCode::kStoreSchema:
      return kExitSchema;
    case ErrorCode::kAlreadyExists:
      return kExitStateDir;
    case ErrorCode::kCancelled:
      return kExitClean;
    default:
      return kExitInternal;
  }
}

// Exit codes of disttaskctl, besides kExitClean, kExitUsage, kExitSchema, kExitLogin and kExitConfig.
inline constexpr int kCtlFailed = 1;        ///< the task failed, or the command did
inline constexpr int kCtlNotFound = 3;      ///< no such task, connection or file
inline constexpr int kCtlTimeLimit = 4;     ///< --timeout passed; what was waited for goes on
inline constexpr int kCtlRefused = 5;       ///< the key was used before, the task is done, the plugin was refused
inline constexpr int kCtlCancelled = 6;     ///< the task was cancelled
inline constexpr int kCtlUnavailable = 69;  ///< the store cannot be reached, or takes no writes

}  // namespace disttask::app
