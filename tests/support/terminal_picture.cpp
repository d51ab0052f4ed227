#include "disttask/base/utf8.hpp"

#include "support/terminal_process.hpp"

#include <algorithm>
#include <cstdlib>
#include <tuple>
#include <utility>

namespace disttask::test {
namespace {

class Drawing {
 public:
  explicit Drawing(TerminalSize size) : size_(size), cells_(blank()), main_(cells_) {}

  void put(std::string_view text) {
    while (!text.empty()) text.remove_prefix(text[0] == '\x1b' ? putEscape(text) : putCharacter(text));
  }

  [[nodiscard]] Picture take() const {
    Picture picture;
    for (const auto& row : cells_) {
      std::string line;
      for (const auto& cell : row) line += cell;
      line.erase(line.find_last_not_of(' ') + 1);
      picture.lines.push_back(std::move(line));
    }
    picture.num_wrapped = num_wrapped_;
    picture.is_other_screen = is_other_screen_;
    picture.has_cursor = has_cursor_;
    return picture;
  }

 private:
  using Row = std::vector<std::string>;

  [[nodiscard]] std::vector<Row> blank() const {
    return std::vector<Row>(size_.rows, Row(size_.columns, std::string(" ")));
  }

  void newLine() {
    if (row_ + 1 < size_.rows) {
      ++row_;
      return;
    }
    cells_.erase(cells_.begin());
    cells_.emplace_back(size_.columns, std::string(" "));
  }

  std::size_t putCharacter(std::string_view text) {
    if (text[0] == '\r') {
      column_ = 0;
      return 1;
    }
    if (text[0] == '\n') {
      newLine();
      return 1;
    }
    std::size_t size = 1;
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) ++size;
    const auto character = text.substr(0, size);
    const auto width = displayWidth(character);
    if (column_ + width > size_.columns) {
      ++num_wrapped_;
      column_ = 0;
      newLine();
    }
    if (width == 0) return size;
    cells_[row_][column_] = character;
    for (std::size_t i = 1; i < width; ++i) cells_[row_][column_ + i].clear();
    column_ += width;
    return size;
  }

  void clear(std::size_t row, std::size_t begin) {
    for (auto i = begin; i < size_.columns; ++i) cells_[row][i] = " ";
  }

  void useScreen(bool other) {
    if (other == is_other_screen_) return;
    is_other_screen_ = other;
    if (other) {
      main_ = std::exchange(cells_, blank());
      saved_ = {row_, column_};
    } else {
      cells_ = main_;
      std::tie(row_, column_) = saved_;
    }
  }

  /// A sequence that begins with ESC [; returns its size.
  std::size_t putEscape(std::string_view text) {
    std::size_t end = 2;
    while (end < text.size() && (text[end] < '@' || text[end] > '~')) ++end;
    if (end >= text.size()) return text.size();  // the rest of it is not there yet
    const std::string words(text.substr(2, end - 2));
    switch (text[end]) {
      case 'A': {
        const auto up = static_cast<std::size_t>(std::max(1, std::atoi(words.c_str())));
        row_ -= std::min(row_, up);
        break;
      }
      case 'H':
        row_ = column_ = 0;
        break;
      case 'K':
        clear(row_, column_);
        break;
      case 'J':
        if (words == "2") cells_ = blank();
        clear(row_, column_);
        for (auto row = row_ + 1; row < size_.rows; ++row) clear(row, 0);
        break;
      case 'h':
      case 'l':
        if (words == "?1049") useScreen(text[end] == 'h');
        if (words == "?25") has_cursor_ = text[end] == 'h';
        break;
      default:
        break;
    }
    return end + 1;
  }

  const TerminalSize size_;
  std::vector<Row> cells_;
  std::vector<Row> main_;  ///< while the other screen is shown
  std::pair<std::size_t, std::size_t> saved_;
  std::size_t row_ = 0;
  std::size_t column_ = 0;
  std::size_t num_wrapped_ = 0;
  bool is_other_screen_ = false;
  bool has_cursor_ = true;
};

}  // namespace

std::string Picture::text() const {
  std::string text;
  for (const auto& line : lines) text += line + '\n';
  return text;
}

Picture drawTerminal(std::string_view written, TerminalSize size) {
  Drawing drawing(size);
  drawing.put(written);
  return drawing.take();
}

}  // namespace disttask::test
