#include "table.hpp"

#include "disttask/base/utf8.hpp"

#include <algorithm>
#include <ostream>

namespace disttask::ctl {
namespace {

std::string printable(std::string_view text) {
  auto clean = toValidUtf8(text);
  for (auto& c : clean) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f') c = ' ';
  }
  return clean;
}

std::string pad(const std::string& cell, std::size_t width, Align align, bool last) {
  const auto used = displayWidth(cell);
  const std::string space(used < width ? width - used : 0, ' ');
  if (align == Align::kRight) return space + cell;
  return last ? cell : cell + space;
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (auto& cell : cells) cell = printable(cell);
  rows_.push_back(std::move(cells));
}

void Table::print(std::ostream& out) const {
  std::vector<std::string> titles;
  std::vector<std::size_t> widths;
  for (const auto& column : columns_) {
    titles.push_back(column.title);
    widths.push_back(displayWidth(column.title));
  }
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], displayWidth(row[i]));
  }
  const auto print_row = [&](const std::vector<std::string>& row) {
    // Empty cells at the end of a row would leave spaces behind.
    auto end = row.size();
    while (end > 0 && row[end - 1].empty()) --end;
    for (std::size_t i = 0; i < end; ++i)
      out << (i == 0 ? "" : "  ") << pad(row[i], widths[i], columns_[i].align, i + 1 == end);
    out << '\n';
  };
  print_row(titles);
  for (const auto& row : rows_) print_row(row);
}

void Facts::add(std::string name, std::string value) {
  if (!value.empty()) facts_.emplace_back(std::move(name), std::move(value));
}

void Facts::print(std::ostream& out) const {
  std::size_t width = 0;
  for (const auto& [name, value] : facts_) width = std::max(width, displayWidth(name));
  for (const auto& [name, value] : facts_) {
    std::string_view rest = value;
    auto label = name + std::string(width - displayWidth(name), ' ');
    while (true) {
      const auto line = rest.substr(0, rest.find('\n'));
      out << label << "  " << printable(line) << '\n';
      if (line.size() == rest.size()) break;
      rest.remove_prefix(line.size() + 1);
      label = std::string(width, ' ');
    }
  }
}

}  // namespace disttask::ctl
