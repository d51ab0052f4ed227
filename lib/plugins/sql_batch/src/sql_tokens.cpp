#include "sql_tokens.hpp"

#include "disttask/plugin_common/json_fields.hpp"

#include <algorithm>

namespace disttask::sql_batch {
namespace {

using plugin_common::fail;

bool isWordByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         c == '@' || byte >= 0x80;
}

bool isBlank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::vector<Token> run() {
    while (skipBlanks()) next();
    if (depth_ != 0) fail("statement: a parenthesis is never closed");
    return std::move(tokens_);
  }

 private:
  [[nodiscard]] char at(std::size_t offset) const { return at_ + offset < text_.size() ? text_[at_ + offset] : '\0'; }

  [[noreturn]] void unterminated(const std::string& what, std::size_t begin) const {
    fail("statement: " + what + " at byte " + std::to_string(begin) + " never ends");
  }

  bool skipBlanks() {
    while (at_ < text_.size()) {
      if (isBlank(text_[at_])) {
        ++at_;
      } else if (text_[at_] == '#' || (at(0) == '-' && at(1) == '-' && (at_ + 2 >= text_.size() || isBlank(at(2))))) {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (at(0) == '/' && at(1) == '*') {
        // MySQL's and MariaDB's, MariaDB's own, TiDB's own.
        const std::size_t mark = at(2) == 'M' || at(2) == 'T' ? 3 : 2;
        if (at(mark) == '!') {
          fail(
              "statement: a comment that the server executes ('" + std::string(text_.substr(at_, mark + 1)) +
              "') at byte " + std::to_string(at_) + " is refused"
          );
        }
        const std::size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) unterminated("a comment", at_);
        at_ = end + 2;
      } else {
        return true;
      }
    }
    return false;
  }

  void push(TokenKind kind, std::string text, std::size_t begin) {
    Token token;
    token.kind = kind;
    if (kind == TokenKind::kWord) token.lowered = lower(text);
    token.text = std::move(text);
    token.begin = begin;
    token.end = at_;
    token.depth = depth_;
    tokens_.push_back(std::move(token));
  }

  void next() {
    const std::size_t begin = at_;
    const char c = text_[at_];
    if (c == '\'' || c == '"' || c == '`') {
      const std::string text = quoted(c);
      push(c == '`' ? TokenKind::kQuotedName : TokenKind::kString, text, begin);
    } else if (c == '{') {
      range();
    } else if (isWordByte(c)) {
      while (at_ < text_.size() && isWordByte(text_[at_])) ++at_;
      push(TokenKind::kWord, std::string(text_.substr(begin, at_ - begin)), begin);
    } else {
      if (c == '\0') fail("statement: may not hold a NUL character");
      if (c == ')' && --depth_ < 0) fail("statement: a parenthesis is closed that was never opened");
      ++at_;
      push(TokenKind::kSymbol, std::string(1, c), begin);
      if (c == '(') ++depth_;
    }
  }

  // A doubled quote stands for itself; a backslash escapes in strings, not in names.
  std::string quoted(char quote) {
    const std::size_t begin = at_++;
    std::string text;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\' && quote != '`') {
        if (++at_ == text_.size()) break;
      } else if (text_[at_] == quote) {
        if (at(1) != quote) {
          ++at_;
          return text;
        }
        ++at_;
      }
      text += text_[at_];
    }
    unterminated(quote == '`' ? "a quoted name" : "a string", begin);
  }

  void range() {
    const std::size_t begin = at_;
    const std::size_t end = text_.find('}', at_);
    const std::string inside(text_.substr(at_ + 1, end == std::string_view::npos ? end : end - at_ - 1));
    const bool alias = inside.size() > 6 && inside.compare(0, 6, "range:") == 0 &&
                       std::all_of(inside.begin() + 6, inside.end(), isWordByte);
    if (end == std::string_view::npos || (inside != "range" && !alias)) {
      fail("statement: expected {range} or {range:alias} at byte " + std::to_string(begin));
    }
    at_ = end + 1;
    push(TokenKind::kRange, alias ? inside.substr(6) : std::string(), begin);
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view statement) {
  return Scanner(statement).run();
}

}  // namespace disttask::sql_batch
