#pragma once
#include "../args/common.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace disttask::ctl {

/// What the program writes to, and how people want it. Plain data.
struct Terminal {
  bool is_out_terminal = false;  ///< stdout is one
  bool is_in_terminal = false;   ///< stdin is one: keys can be typed
  bool can_ask = false;          ///< stdin and stderr are: somebody can answer
  std::size_t columns = 0;       ///< of stdout; 0 = no limit
  bool has_color = false;        ///< states in tables get colours
  bool relative_times = false;   ///< "3 min ago" instead of a moment
};

/// Looks at stdin, stdout, stderr, NO_COLOR and TERM.
[[nodiscard]] Terminal detectTerminal(const CommonOptions& options);
/// Returns the columns of a terminal, 80 when it does not say.
[[nodiscard]] std::size_t columnsOf(int descriptor);

enum class Style : std::uint8_t { kPlain, kGood, kBusy, kWarning, kBad, kDim };
/// Returns how the state of a task, subtask or node looks.
[[nodiscard]] Style styleOfState(std::string_view state) noexcept;
/// Wraps text in the escape sequences of a style.
[[nodiscard]] std::string styled(std::string_view text, Style style);

}  // namespace disttask::ctl
