#include "terminal.hpp"

#include "../../environment.hpp"
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace disttask::ctl {
namespace {

using StateStyle = std::pair<std::string_view, Style>;
constexpr std::array kStates = {
    StateStyle{"succeed", Style::kGood},
    StateStyle{"succeeded", Style::kGood},
    StateStyle{"live", Style::kGood},
    StateStyle{"running", Style::kBusy},
    StateStyle{"modifying", Style::kBusy},
    StateStyle{"resuming", Style::kBusy},
    StateStyle{"reverting", Style::kWarning},
    StateStyle{"cancelling", Style::kWarning},
    StateStyle{"pausing", Style::kWarning},
    StateStyle{"paused", Style::kWarning},
    StateStyle{"awaiting-resolution", Style::kWarning},
    StateStyle{"cordoned", Style::kWarning},
    StateStyle{"draining", Style::kWarning},
    StateStyle{"drained", Style::kWarning},
    StateStyle{"failed", Style::kBad},
    StateStyle{"reverted", Style::kBad},
    StateStyle{"gone", Style::kBad},
    StateStyle{"canceled", Style::kDim},
    StateStyle{"cancelled", Style::kDim},
};

bool wantsColor(ColorChoice choice, bool is_terminal) {
  if (choice != ColorChoice::kAuto) return choice == ColorChoice::kAlways;
  if (!is_terminal || app::environmentValue("TERM").value_or("") == "dumb") return false;
  return app::environmentValue("NO_COLOR").value_or("").empty();
}

}  // namespace

std::size_t columnsOf(int descriptor) {
  winsize size{};
  return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

Terminal detectTerminal(const CommonOptions& options) {
  Terminal terminal;
  terminal.is_out_terminal = ::isatty(STDOUT_FILENO) != 0;
  terminal.is_in_terminal = ::isatty(STDIN_FILENO) != 0;
  terminal.can_ask = terminal.is_in_terminal && ::isatty(STDERR_FILENO) != 0;
  terminal.columns = terminal.is_out_terminal ? columnsOf(STDOUT_FILENO) : 0;
  terminal.has_color = wantsColor(options.color, terminal.is_out_terminal);
  terminal.relative_times = options.time_format == TimeFormat::kAuto ? terminal.is_out_terminal
                                                                     : options.time_format == TimeFormat::kRelative;
  return terminal;
}

Style styleOfState(std::string_view state) noexcept {
  for (const auto& [name, style] : kStates) {
    if (name == state) return style;
  }
  return Style::kPlain;
}

std::string styled(std::string_view text, Style style) {
  const char* code = nullptr;
  switch (style) {
    case Style::kPlain:
      return std::string(text);
    case Style::kGood:
      code = "32";
      break;
    case Style::kBusy:
      code = "36";
      break;
    case Style::kWarning:
      code = "33";
      break;
    case Style::kBad:
      code = "31";
      break;
    case Style::kDim:
      code = "2";
      break;
  }
  return std::string("\x1b[") + code + "m" + std::string(text) + "\x1b[0m";
}

}  // namespace disttask::ctl
