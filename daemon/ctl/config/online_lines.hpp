#pragma once
#include "disttask/base/error.hpp"
#include "disttask/base/json.hpp"
#include "disttask/settings/settings.hpp"

#include "../doctor/findings.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::ctl {

enum class CheckState : std::uint8_t { kOk, kWarning, kFailed };
[[nodiscard]] std::string_view toString(CheckState state) noexcept;  ///< "ok", "warning", "failed"

/// What one look at the world of some settings found.
struct CheckLine {
  std::string check;    ///< such as "grants"; for programs, does not change
  std::string subject;  ///< what was looked at: a server, a file
  CheckState state = CheckState::kOk;
  std::string text;
  std::string remedy;  ///< of what is not ok
  int exit_code = 0;   ///< of what failed
};
[[nodiscard]] Json toJson(const CheckLine& line);

/// What a server that gives no session means for a daemon: its exit code, and the remedy. Pure.
[[nodiscard]] CheckLine lineOf(std::string check, std::string subject, const Error& error);

/// What was seen of the store, check by check: first what is well. Pure.
[[nodiscard]] std::vector<CheckLine> linesOf(const DoctorFacts& seen, const settings::StoreSettings& store);

}  // namespace disttask::ctl
