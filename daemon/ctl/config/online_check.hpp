#pragma once
#include "disttask/base/json.hpp"
#include "disttask/settings/settings.hpp"

#include "../context.hpp"

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

/// Looks at all that a daemon with these settings needs: plugins (each in a process of its own), servers, TLS, schema,
/// rights, clock, connections. Changes nothing. Forks: only from a process with one thread.
[[nodiscard]] std::vector<CheckLine> checkOnline(Context& context, const settings::Settings& settings);

}  // namespace disttask::ctl
