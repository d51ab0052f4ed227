#pragma once
#include "terminal.hpp"

#include <cstddef>
#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

namespace disttask::ctl {

enum class Align { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
  /// Where the terminal is too narrow, the column with the largest `spare` is shortened first, and left out when that
  /// is not enough; 0 = never.
  int spare = 0;
  /// Where the terminal is too narrow, long cells go on over several lines.
  bool wraps = false;
  /// A column that says little below so many columns: it is left out instead, unless it is the last that can be spared.
  /// 0 = the usual.
  std::size_t least = 0;
};

struct Cell {
  Cell(std::string content) : text(std::move(content)) {}  // NOLINT: implicit by design
  Cell(const char* content) : text(content) {}             // NOLINT
  Cell(std::string content, Style how) : text(std::move(content)), style(how) {}
  std::string text;
  Style style = Style::kPlain;
};
/// A state in its colour.
[[nodiscard]] Cell stateCell(std::string_view state);

/// A table for people: columns as wide as their widest cell in terminal columns (wide characters count two), two spaces
/// between them, no spaces at line ends. Control characters in cells become spaces.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// Adds a row; missing cells are empty.
  void add(std::vector<Cell> cells);
  /// Writes titles and rows; without rows the titles only. No line is longer than the terminal's columns, if columns
  /// can be spared.
  void print(std::ostream& out, const Terminal& terminal = {}) const;

 private:
  [[nodiscard]] std::vector<std::size_t> chooseWidths(std::size_t limit) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

/// Names with values, one a line, values aligned; a value of several lines is indented. Long lines are broken at spaces
/// where the terminal is narrow.
class Facts {
 public:
  /// Adds a line; an empty value adds none.
  void add(std::string name, std::string value, Style style = Style::kPlain);
  void print(std::ostream& out, const Terminal& terminal = {}) const;

 private:
  struct Fact {
    std::string name;
    std::string value;
    Style style;
  };
  std::vector<Fact> facts_;
};

/// Returns the text in at most `width` columns, its end replaced by "…" where it is longer.
[[nodiscard]] std::string shorten(std::string_view text, std::size_t width);
/// Returns the text as lines of at most `width` columns, broken at spaces, words longer than that anywhere; at least
/// one line.
[[nodiscard]] std::vector<std::string> wrapLine(std::string_view text, std::size_t width);
/// Returns valid UTF-8 without control characters: they become spaces.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace disttask::ctl
