#include "screen.hpp"

#include <sys/ioctl.h>

#include <algorithm>

namespace disttask::ctl {

std::size_t rowsOf(int descriptor) {
  winsize size{};
  return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

std::string Redraw::update(std::string_view view, std::size_t rows) {
  std::string out;
  // Lines that are not there any more since the terminal shrank cannot be gone up to.
  if (const auto up = std::min(lines_, rows > 1 ? rows - 1 : 1); up > 0) out = "\x1b[" + std::to_string(up) + "A\r";
  out += "\x1b[J";
  const auto total = static_cast<std::size_t>(std::count(view.begin(), view.end(), '\n'));
  const auto room = rows > 2 ? rows - 1 : 1;
  lines_ = 0;
  const auto shown = total <= room ? total : room - 1;
  while (lines_ < shown) {
    const auto end = view.find('\n') + 1;
    out += view.substr(0, end);
    view.remove_prefix(end);
    ++lines_;
  }
  if (shown < total) {
    out += "… " + std::to_string(total - shown) + " more lines\n";
    ++lines_;
  }
  return out;
}

}  // namespace disttask::ctl
