#pragma once
#include "disttask/base/error.hpp"
#include "disttask/proto/ids.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace disttask::proto {

/// What an operator wants of a node.
enum class WantedState : std::uint8_t { kNormal, kCordoned, kDraining };
[[nodiscard]] std::string_view toString(WantedState state) noexcept;
/// Reads the column; a text that is none of them, or missing, means normal.
[[nodiscard]] WantedState parseWantedState(std::string_view text) noexcept;

/// Why a node drains that is being stopped: its next life ends that drain, and no operator's, by this message.
inline constexpr std::string_view kStopDrainMessage = "its service stops";

/// A node: its side row (design rule 1) beside its row of `dist_framework_meta`.
struct Node {
  ExecId exec_id;
  Life life;                  ///< 0 = evicted or stopped
  std::string instance_uuid;  ///< names the state directory
  std::string boot_id;
  std::string lock_file_id;  ///< device:inode of the lock file
  std::int64_t renewals = 0;
  std::int64_t lease_ms = 30'000;
  std::string host;      ///< for people
  std::int64_t pid = 0;  ///< for people
  std::string address;   ///< host:port for nudges; empty = none
  std::int64_t nudge_token = 0;
  std::map<std::string, std::string> types;  ///< task type → version that it offers
  WantedState wanted = WantedState::kNormal;
  std::int64_t wanted_until = 0;   ///< seconds since the epoch by the store: then runs are given back; 0 = no limit
  std::string wanted_message;      ///< why, in the operator's words
  std::string reasons;             ///< JSON, why work waits here: see encodeReasons; empty = it does not
  std::string version;             ///< of the program
  std::int64_t epoch = 0;          ///< counts registrations; for display only
  std::int64_t registered_at = 0;  ///< seconds since the epoch by the store, for display
  std::int64_t modifications = 0;  ///< up to this one, modifications of tasks are applied here (design rule 25)
  std::string role;                ///< service scope, from dist_framework_meta; empty also when that row is missing
  std::int32_t slots = 0;          ///< cpu_count of dist_framework_meta
  bool has_meta_row = false;       ///< dist_framework_meta has a row of this exec id
};

/// Returns the column `reasons` of a node whose last calls failed with this: {"store":{"code","message"}}, the message
/// cut to 1 KiB.
[[nodiscard]] std::string encodeReasons(const Error& store_error);
/// Returns what encodeReasons wrote as "code: message"; a text of another shape as it is.
[[nodiscard]] std::string describeReasons(std::string_view reasons);

}  // namespace disttask::proto
