#include "batch_statement.hpp"

#include "disttask/plugin_common/json_fields.hpp"
#include "disttask/plugin_common/names.hpp"
#include "sql_tokens.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace disttask::sql_batch {
namespace {

using plugin_common::fail;

constexpr std::string_view kExpected =
    "expected one UPDATE, DELETE or INSERT … SELECT with {range} in its where clause";
// What may stand between the verb and the table.
constexpr std::array<std::string_view, 4> kModifiers = {"low_priority", "quick", "ignore", "into"};
// In the outer statement each of these makes chunks differ from what the whole statement would do.
constexpr std::array<std::string_view, 13> kRefused = {
    "limit",
    "order",
    "group",
    "having",
    "union",
    "except",
    "intersect",
    "returning",
    "window",
    "procedure",
    "distinct",
    "distinctrow",
    "over"};
constexpr std::array<std::string_view, 16> kAggregates = {
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "group_concat",
    "json_arrayagg",
    "json_objectagg",
    "bit_and",
    "bit_or",
    "std",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "variance",
    "var_samp"};
// What may follow a table's name in place of an alias.
constexpr std::array<std::string_view, 16> kBehindTable = {
    "where",
    "set",
    "join",
    "inner",
    "left",
    "right",
    "cross",
    "natural",
    "force",
    "use",
    "ignore",
    "partition",
    "straight_join",
    "for",
    "values",
    "on"};

template <std::size_t N>
bool isOneOf(const Token& token, const std::array<std::string_view, N>& words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return token.is(word); });
}

std::string upperFirst(std::string_view word) {
  std::string text(word);
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return text;
}

class Parser {
 public:
  Parser(std::string_view text, const TableName& table) : text_(text), table_(table), tokens_(tokenize(text)) {}

  BatchStatement run() {
    dropSemicolons();
    if (tokens_.empty()) fail("statement: may not be empty");
    findKind();
    findRange();
    checkOuter();
    checkWhere();
    findTarget();
    if (result_.kind == StatementKind::kUpdate) findAssigned();
    const Token& range = tokens_[range_];
    result_.before = std::string(text_.substr(0, range.begin));
    result_.after = std::string(text_.substr(range.end, tokens_.back().end - range.end));
    result_.alias = range.text;
    return std::move(result_);
  }

 private:
  void dropSemicolons() {
    while (!tokens_.empty() && tokens_.back().isSymbol(';')) tokens_.pop_back();
    for (const Token& token : tokens_) {
      if (token.isSymbol(';')) {
        fail("statement: holds more than one statement (';' at byte " + std::to_string(token.begin) + ")");
      }
    }
  }

  void findKind() {
    const Token& verb = tokens_.front();
    if (verb.is("update")) {
      result_.kind = StatementKind::kUpdate;
    } else if (verb.is("delete")) {
      result_.kind = StatementKind::kDelete;
    } else if (verb.is("insert")) {
      result_.kind = StatementKind::kInsertSelect;
      if (!find("select", 0)) fail("statement: an INSERT needs a SELECT that reads the table in the key range");
    } else {
      fail("statement: begins with '" + verb.text + "'; " + std::string(kExpected));
    }
  }

  void findRange() {
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i != tokens_.size(); ++i) {
      if (tokens_[i].kind != TokenKind::kRange) continue;
      if (found) fail("statement: {range} stands twice; it bounds the statement once, in the outer where clause");
      found = i;
    }
    if (!found) fail("statement: has no {range}; " + std::string(kExpected));
    if (tokens_[*found].depth != 0) {
      fail(
          "statement: {range} stands within parentheses; it must bound the outer where clause, as in 'where {range} "
          "and …'"
      );
    }
    range_ = *found;
  }

  [[nodiscard]] std::optional<std::size_t> find(std::string_view word, std::size_t from) const {
    for (std::size_t i = from; i != tokens_.size(); ++i) {
      if (tokens_[i].depth == 0 && tokens_[i].is(word)) return i;
    }
    return std::nullopt;
  }

  void checkOuter() const {
    for (std::size_t i = 0; i != tokens_.size(); ++i) {
      const Token& token = tokens_[i];
      // A name behind a dot is a column.
      if (token.depth != 0 || (i > 0 && tokens_[i - 1].isSymbol('.'))) continue;
      if (isOneOf(token, kRefused)) refuseByChunk(token);
    }
  }

  [[noreturn]] static void refuseByChunk(const Token& token) {
    fail(
        "statement: " + upperFirst(token.lowered) + " at byte " + std::to_string(token.begin) +
        " is refused: it would act on each chunk by itself, not on the whole"
    );
  }

  // `insert … select count(*) from t where {range}`; a subquery's own are its own.
  void checkAggregates(std::size_t select, std::size_t from) const {
    for (std::size_t i = select + 1; i + 1 < from; ++i) {
      const Token& token = tokens_[i];
      if (token.depth > 0 && token.is("select")) {
        const int depth = token.depth;
        while (i + 1 < from && tokens_[i].depth >= depth) ++i;
      } else if (tokens_[i + 1].isSymbol('(') && isOneOf(token, kAggregates)) {
        refuseByChunk(token);
      }
    }
  }

  // Only `where a and {range} and b` bounds what is read, and every chunk changes other rows.
  void checkWhere() {
    const auto where = find("where", 0);
    if (!where || *where > range_) fail("statement: {range} is not in the where clause");
    const Token& left = tokens_[range_ - 1];
    if (!left.is("where") && !left.is("and")) {
      fail("statement: {range} must follow WHERE or AND, found '" + left.text + "'");
    }
    // `a between 1 and {range}` is no bound.
    for (std::size_t i = range_ - 1; left.is("and") && i-- > *where;) {
      const Token& token = tokens_[i];
      if (token.depth != 0 || (!token.is("and") && !token.is("between") && !token.is("where"))) continue;
      if (token.is("between")) fail("statement: the AND before {range} is that of a BETWEEN");
      break;
    }
    if (range_ + 1 < tokens_.size()) {
      const Token& right = tokens_[range_ + 1];
      if (!right.is("and") && !right.is("on")) {
        fail("statement: {range} must be followed by AND or end the statement, found '" + right.text + "'");
      }
    }
    for (std::size_t i = *where; i != tokens_.size(); ++i) {
      const Token& token = tokens_[i];
      if (token.depth != 0) continue;
      if (token.is("on") && i > range_) break;  // on duplicate key update
      if (token.is("case")) {
        fail("statement: a CASE beside {range} at byte " + std::to_string(token.begin) + "; put it into parentheses");
      }
      const bool bars = token.isSymbol('|') && i + 1 < tokens_.size() && tokens_[i + 1].isSymbol('|');
      if (token.is("or") || token.is("xor") || bars) {
        fail(
            "statement: an OR beside {range} at byte " + std::to_string(token.begin) +
            " would reach rows of other chunks; put it into parentheses"
        );
      }
    }
  }

  // NAME, or SCHEMA.NAME; moves on behind it.
  std::optional<TableName> nameAt(std::size_t& i) const {
    if (i >= tokens_.size() || !tokens_[i].isName()) return std::nullopt;
    TableName name{table_.schema, tokens_[i].text};
    ++i;
    if (i + 1 < tokens_.size() && tokens_[i].isSymbol('.') && tokens_[i + 1].isName()) {
      name = {name.table, tokens_[i + 1].text};
      i += 2;
    }
    return name;
  }

  void requireTable(std::size_t i, const std::string& where) {
    const auto name = nameAt(i);
    result_.plain = i < tokens_.size() && (tokens_[i].is("where") || tokens_[i].is("set"));
    if (name != table_) {
      fail(
          "statement: " + where + " names " + (name ? name->toString() : "no table") + ", expected " +
          table_.toString() + " (table)"
      );
    }
  }

  [[nodiscard]] std::size_t skipModifiers(std::size_t i) const {
    while (i < tokens_.size() && isOneOf(tokens_[i], kModifiers)) ++i;
    return i;
  }

  // What the statement calls the table whose name is at `i`: its alias, or its name.
  [[nodiscard]] std::string calledAt(std::size_t i) const {
    nameAt(i);
    if (i < tokens_.size() && tokens_[i].is("as")) ++i;
    const bool has_alias = i < tokens_.size() && tokens_[i].isName() && !isOneOf(tokens_[i], kBehindTable);
    return has_alias ? tokens_[i].text : table_.table;
  }

  // A list of tables before `end` is refused, so the one at `i` is the one whose key is walked.
  void requireNoList(std::size_t i, std::size_t end, const char* what) const {
    for (; i != end; ++i) {
      if (tokens_[i].depth == 0 && tokens_[i].isSymbol(',')) fail(std::string("statement: ") + what);
    }
  }

  void findTarget() {
    result_.target = table_;
    if (result_.kind == StatementKind::kUpdate) {
      requireTable(skipModifiers(1), "UPDATE");
      return;
    }
    const auto from = find("from", 1);
    if (!from || *from > range_) fail("statement: has no FROM before {range}");
    requireTable(*from + 1, "FROM");
    if (result_.kind == StatementKind::kDelete) {
      multiTableDelete(*from);
      return;
    }
    std::size_t i = skipModifiers(1);
    const auto target = nameAt(i);
    if (!target) fail("statement: INSERT names no table");
    checkAggregates(*find("select", 0), *from);
    result_.updates_duplicates = find("duplicate", range_).has_value();
    if (*target == table_) {
      fail("statement: inserts into the table that it reads; a later chunk would read what an earlier one put in");
    }
    result_.target = *target;
  }

  // `delete o from orders o join …`: one table only may lose rows, the one whose key is walked.
  void multiTableDelete(std::size_t from) const {
    auto name = skipModifiers(1);
    requireNoList(name, from, "deletes from several tables; one statement may change one table");
    if (name != from) {
      const std::string called = calledAt(from + 1);
      const auto deleted = nameAt(name);
      const bool same = deleted && deleted->schema == table_.schema && deleted->table == called;
      if (!same) {
        fail(
            "statement: deletes from " + (deleted ? deleted->toString() : "no table") + ", expected '" + called +
            "', the table whose key is walked"
        );
      }
    }
    if (find("using", 1))
      fail("statement: DELETE … USING is refused; write DELETE alias FROM " + table_.toString() + " alias …");
  }

  void findAssigned() {
    const auto set = find("set", 1);
    if (!set || *set > range_) fail("statement: UPDATE has no SET before {range}");
    requireNoList(1, *set, ("updates a list of tables; join the others to " + table_.toString() + " instead").c_str());
    const std::string called = calledAt(skipModifiers(1));
    bool expects_column = true;
    for (std::size_t i = *set + 1; i != range_ && !(tokens_[i].depth == 0 && tokens_[i].is("where")); ++i) {
      if (expects_column) {
        std::string column;
        std::string qualifier;
        while (i != range_ && !tokens_[i].isSymbol('=')) {
          if (tokens_[i].isName()) qualifier = std::exchange(column, tokens_[i].text);
          ++i;
        }
        if (!qualifier.empty() && qualifier != called) {
          fail(
              "statement: sets '" + qualifier + "." + column + "', expected columns of '" + called +
              "' only, the table whose key is walked"
          );
        }
        std::transform(column.begin(), column.end(), column.begin(), [](char c) {
          return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        result_.assigned.push_back(column);
        expects_column = false;
        if (i == range_) break;
      } else if (tokens_[i].depth == 0 && tokens_[i].isSymbol(',')) {
        expects_column = true;
      }
    }
  }

  const std::string_view text_;
  const TableName& table_;
  std::vector<Token> tokens_;
  std::size_t range_ = 0;
  BatchStatement result_;
};

}  // namespace

std::string_view toString(StatementKind kind) noexcept {
  switch (kind) {
    case StatementKind::kUpdate:
      return "update";
    case StatementKind::kDelete:
      return "delete";
    case StatementKind::kInsertSelect:
      return "insert … select";
  }
  return "update";
}

std::string BatchStatement::render(const std::string& condition) const {
  return before + "(" + condition + ")" + after;
}

std::string BatchStatement::renderSelect(
    const std::string& columns, const TableName& from, const std::string& condition
) const {
  const std::vector<Token> tokens = tokenize(before);
  std::size_t where = before.size();
  for (const Token& token : tokens) {
    if (token.depth == 0 && token.is("where")) {
      where = token.begin;
      break;
    }
  }
  return "select " + columns + " from " + plugin_common::quoted(from.schema, from.table) + " " + before.substr(where) +
         "(" + condition + ")" + after + " for update";
}

BatchStatement parseStatement(std::string_view text, const TableName& table) {
  return Parser(text, table).run();
}

}  // namespace disttask::sql_batch
