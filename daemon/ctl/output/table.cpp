#include "table.hpp"

#include "disttask/base/utf8.hpp"

#include <algorithm>
#include <ostream>

namespace disttask::ctl {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kLeastWrapped = 20;
constexpr std::size_t kLeastWidth = 8;  // below this a shortened cell says nothing

void writeCell(std::ostream& out, const Cell& cell, std::size_t width, Align align, bool last, bool has_color) {
  const auto text = shorten(cell.text, width);
  const auto used = displayWidth(text);
  const std::string space(used < width ? width - used : 0, ' ');
  const auto shown = has_color ? styled(text, cell.style) : text;
  if (align == Align::kRight) {
    out << space << shown;
  } else {
    out << shown << (last ? "" : space);
  }
}

/// Offset where the first `width` columns of valid UTF-8 end.
std::size_t offsetAt(std::string_view text, std::size_t width) {
  std::size_t at = 0;
  while (at < text.size()) {
    auto next = at + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0U) == 0x80) ++next;
    const auto taken = displayWidth(text.substr(at, next - at));
    if (taken > width) break;
    width -= taken;
    at = next;
  }
  return at;
}

}  // namespace

std::string printable(std::string_view text) {
  auto clean = toValidUtf8(text);
  std::string out;
  out.reserve(clean.size());
  for (std::size_t i = 0; i < clean.size(); ++i) {
    const auto c = static_cast<unsigned char>(clean[i]);
    // U+0080 to U+009F are control characters too, two bytes each.
    const bool is_c1 = c == 0xC2 && i + 1 < clean.size() && static_cast<unsigned char>(clean[i + 1]) < 0xA0;
    if (is_c1) ++i;
    out += is_c1 || c < 0x20 || c == 0x7F ? ' ' : static_cast<char>(c);
  }
  return out;
}

std::string shorten(std::string_view text, std::size_t width) {
  if (displayWidth(text) <= width) return std::string(text);
  if (width == 0) return "";
  return std::string(text.substr(0, offsetAt(text, width - 1))) + "…";
}

std::vector<std::string> wrapLine(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  while (width > 0 && displayWidth(text) > width) {
    auto end = offsetAt(text, width);
    if (end == 0) break;  // not even one character fits
    auto next = end;
    if (const auto space = text.substr(0, end + 1).rfind(' '); space != std::string_view::npos && space > 0) {
      end = space;
      next = space + 1;
    }
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(next);
  }
  if (!text.empty() || lines.empty()) lines.emplace_back(text);
  return lines;
}

Cell stateCell(std::string_view state) {
  return {std::string(state), styleOfState(state)};
}

void Table::add(std::vector<Cell> cells) {
  cells.resize(columns_.size(), Cell(""));
  for (auto& cell : cells) cell.text = printable(cell.text);
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::chooseWidths(std::size_t limit) const {
  std::vector<std::size_t> widths;
  for (const auto& column : columns_) widths.push_back(displayWidth(column.title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], displayWidth(row[i].text));
  }
  if (limit == 0) return widths;
  const auto total = [&widths] {
    std::size_t sum = 0;
    for (const auto width : widths) sum += width == 0 ? 0 : width + kGap;
    return sum == 0 ? 0 : sum - kGap;
  };
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].spare > 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [this](auto a, auto b) {
    return columns_[a].spare > columns_[b].spare;
  });
  const auto wanted = widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (!columns_[i].wraps || total() <= limit) continue;
    const auto others = total() - widths[i];
    widths[i] = std::max(kLeastWrapped, limit > others ? limit - others : 0);
  }
  // The least important column gives first, all that it can spare; then columns go, and what that frees is given back.
  for (const auto i : order) {
    const auto floor = columns_[i].least > 0 ? columns_[i].least : columns_[i].wraps ? kLeastWrapped : kLeastWidth;
    const auto least = std::max(displayWidth(columns_[i].title), floor);
    if (total() <= limit || columns_[i].align == Align::kRight || widths[i] <= least) continue;
    widths[i] = std::max(least, widths[i] - std::min(widths[i], total() - limit));
  }
  for (const auto i : order) {
    if (total() <= limit) break;
    const auto least = std::max(displayWidth(columns_[i].title), kLeastWidth);
    const bool may_shrink = i == order.back() && columns_[i].align == Align::kLeft && widths[i] > least;
    const auto excess = total() - limit;
    widths[i] = may_shrink && widths[i] - least >= excess ? widths[i] - excess : 0;
  }
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    if (widths[*at] > 0 && total() < limit) widths[*at] = std::min(wanted[*at], widths[*at] + limit - total());
  }
  return widths;
}

void Table::print(std::ostream& out, const Terminal& terminal) const {
  const auto widths = chooseWidths(terminal.columns);
  const auto print_row = [&](const std::vector<Cell>& row) {
    // Empty cells at the end of a row would leave spaces behind.
    auto end = row.size();
    while (end > 0 && (row[end - 1].text.empty() || widths[end - 1] == 0)) --end;
    bool first = true;
    for (std::size_t i = 0; i < end; ++i) {
      if (widths[i] == 0) continue;
      if (!first) out << std::string(kGap, ' ');
      first = false;
      writeCell(out, row[i], widths[i], columns_[i].align, i + 1 == end, terminal.has_color);
    }
    out << '\n';
  };
  std::vector<Cell> titles;
  for (const auto& column : columns_) titles.emplace_back(column.title);
  print_row(titles);
  for (const auto& row : rows_) {
    std::vector<std::vector<std::string>> parts;
    std::size_t lines = 1;
    for (std::size_t i = 0; i < row.size(); ++i) {
      parts.push_back(columns_[i].wraps ? wrapLine(row[i].text, widths[i]) : std::vector<std::string>{row[i].text});
      lines = std::max(lines, parts.back().size());
    }
    for (std::size_t line = 0; line < lines; ++line) {
      std::vector<Cell> cells;
      for (std::size_t i = 0; i < row.size(); ++i)
        cells.emplace_back(line < parts[i].size() ? parts[i][line] : "", row[i].style);
      print_row(cells);
    }
  }
}

void Facts::add(std::string name, std::string value, Style style) {
  if (!value.empty()) facts_.push_back({std::move(name), std::move(value), style});
}

void Facts::print(std::ostream& out, const Terminal& terminal) const {
  std::size_t width = 0;
  for (const auto& fact : facts_) width = std::max(width, displayWidth(fact.name));
  const auto room = terminal.columns > width + kGap + kLeastWidth ? terminal.columns - width - kGap : 0;
  for (const auto& fact : facts_) {
    std::string_view rest = fact.value;
    auto label = fact.name + std::string(width - displayWidth(fact.name), ' ');
    while (true) {
      const auto line = rest.substr(0, rest.find('\n'));
      for (const auto& part : wrapLine(printable(line), room)) {
        out << label << "  " << (terminal.has_color ? styled(part, fact.style) : part) << '\n';
        label = std::string(width, ' ');
      }
      if (line.size() == rest.size()) break;
      rest.remove_prefix(line.size() + 1);
    }
  }
}

}  // namespace disttask::ctl
