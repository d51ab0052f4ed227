#pragma once
#include <iosfwd>
#include <string>
#include <vector>

namespace disttask::ctl {

enum class Align { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

/// A table for people: columns as wide as their widest cell in terminal columns (wide characters count two), two spaces
/// between them, no spaces at line ends. Control characters in cells become spaces.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// Adds a row; missing cells are empty.
  void add(std::vector<std::string> cells);
  /// Writes titles and rows; without rows the titles only.
  void print(std::ostream& out) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Names with values, one a line, values aligned; a value of several lines is indented.
class Facts {
 public:
  /// Adds a line; an empty value adds none.
  void add(std::string name, std::string value);
  void print(std::ostream& out) const;

 private:
  std::vector<std::pair<std::string, std::string>> facts_;
};

}  // namespace disttask::ctl
