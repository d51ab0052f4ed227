#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::sql_batch {

enum class TokenKind { kWord, kQuotedName, kString, kRange, kSymbol };

/// One token of a statement. Comments and blanks are none.
struct Token {
  TokenKind kind = TokenKind::kSymbol;
  std::string text;  ///< as an identifier means it (without backticks); a word as written; the alias of a {range:alias}
  std::string lowered;    ///< of a word: in lower case; else empty
  std::size_t begin = 0;  ///< bytes of the statement
  std::size_t end = 0;
  int depth = 0;  ///< of parentheses around it

  [[nodiscard]] bool is(std::string_view word) const { return kind == TokenKind::kWord && lowered == word; }
  [[nodiscard]] bool isSymbol(char c) const { return kind == TokenKind::kSymbol && text.size() == 1 && text[0] == c; }
  [[nodiscard]] bool isName() const { return kind == TokenKind::kWord || kind == TokenKind::kQuotedName; }
};

/// Takes a statement apart as the server does with the usual sql_mode: strings in single or double quotes with
/// backslashes, names in backticks, comments. Throws kInvalidArgument: a quote, comment or parenthesis that never ends,
/// a comment that a server executes (/*! … */, /*M! … */, /*T! … */), a brace that is no {range}.
[[nodiscard]] std::vector<Token> tokenize(std::string_view statement);

}  // namespace disttask::sql_batch
