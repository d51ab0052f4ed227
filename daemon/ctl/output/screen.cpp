#include "screen.hpp"

#include "disttask/base/utf8.hpp"

#include <sys/ioctl.h>

#include <algorithm>
#include <numeric>

namespace disttask::ctl {
namespace {

/// Columns of a line that may have colours.
std::size_t widthOf(std::string_view line) {
  std::string text;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\x1b') {
      text += line[i];
      continue;
    }
    while (i + 1 < line.size() && line[i] != 'm') ++i;
  }
  return displayWidth(text);
}

/// Rows of the terminal that a line takes.
std::size_t rowsFor(std::size_t width, std::size_t columns) {
  return columns == 0 || width == 0 ? 1 : (width + columns - 1) / columns;
}

}  // namespace

std::size_t rowsOf(int descriptor) {
  winsize size{};
  return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

std::string Redraw::update(std::string_view view, std::size_t rows, std::size_t columns) {
  std::string out;
  const auto before = std::accumulate(widths_.begin(), widths_.end(), std::size_t{0}, [&](auto sum, auto width) {
    return sum + rowsFor(width, columns);
  });
  // Rows that are not there any more since the terminal shrank cannot be gone up to.
  if (const auto up = std::min(before, rows > 1 ? rows - 1 : 1); up > 0) out = "\x1b[" + std::to_string(up) + "A\r";
  out += "\x1b[J";
  widths_.clear();
  std::vector<std::string_view> lines;
  std::size_t total = 0;
  for (; !view.empty(); view.remove_prefix(lines.back().size() + 1)) {
    lines.push_back(view.substr(0, view.find('\n')));
    widths_.push_back(widthOf(lines.back()));
    total += rowsFor(widths_.back(), columns);
  }
  const auto room = rows > 2 ? rows - 1 : 1;
  std::size_t shown = lines.size();
  if (total > room) {
    while (shown > 0 && total > room - 1) total -= rowsFor(widths_[--shown], columns);
  }
  for (std::size_t i = 0; i < shown; ++i) out.append(lines[i]).append("\n");
  widths_.resize(shown);
  if (shown < lines.size()) {
    out += "… " + std::to_string(lines.size() - shown) + " more lines\n";
    widths_.push_back(1);
  }
  return out;
}

}  // namespace disttask::ctl
