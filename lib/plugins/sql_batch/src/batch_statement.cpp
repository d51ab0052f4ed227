#include "batch_statement.hpp"

#include "disttask/plugin_common/json_fields.hpp"
#include "disttask/plugin_common/names.hpp"
#include "sql_tokens.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

namespace disttask::sql_batch {
namespace {

using plugin_common::fail;

constexpr std::string_view kExpected =
    "expected one UPDATE, DELETE or INSERT … SELECT with {range} in its where clause";
// What may stand between the verb and the table.
constexpr std::array<std::string_view, 6> kModifiers = {
    "low_priority", "high_priority", "delayed", "quick", "ignore", "into"};
// In the outer statement each of these makes chunks differ from what the whole statement would do.
constexpr std::array<std::string_view, 14> kRefused = {
    "limit",
    "fetch",
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
// Of MySQL, MariaDB and TiDB.
constexpr std::array<std::string_view, 25> kAggregates = {
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "group_concat",
    "json_arrayagg",
    "json_objectagg",
    "json_sum_crc32",
    "bit_and",
    "bit_or",
    "bit_xor",
    "std",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "variance",
    "var_pop",
    "var_samp",
    "approx_count_distinct",
    "approx_percentile",
    "median",
    "percentile_cont",
    "percentile_disc",
    "st_collect"};
// What may follow a table's name in place of an alias.
constexpr std::array<std::string_view, 17> kBehindTable = {
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
    "using",
    "on"};

template <std::size_t N>
bool isOneOf(const Token& token, const std::array<std::string_view, N>& words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return token.is(word); });
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

bool isAscii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Only the server knows the case of other letters than those of ASCII: there it may be.
bool mayDifferInCaseOnly(const std::string& a, const std::string& b) {
  return lower(a) == lower(b) || (!isAscii(a) && !isAscii(b));
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
    checkAlias();
    if (result_.kind == StatementKind::kUpdate) findAssigned();
    if (result_.updates_duplicates) findDuplicatesAssigned();
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
      if (i > 0 && tokens_[i - 1].isSymbol('.')) continue;
      if (token.isSymbol(':') && symbolAt(i + 1, '=')) {
        fail(
            "statement: the assignment of a variable (':=') at byte " + std::to_string(token.begin) +
            " is refused: its value would go on from chunk to chunk, or begin anew"
        );
      }
      if (token.is("rownum") && symbolAt(i + 1, '(')) refuseByChunk(token);
      if (token.depth != 0) continue;
      if (isOneOf(token, kRefused)) refuseByChunk(token);
      // MariaDB: `offset 1 rows`, without LIMIT or FETCH. A column may be called so.
      const bool skips = token.is("offset") && i + 2 < tokens_.size() && tokens_[i + 1].kind == TokenKind::kWord &&
                         (tokens_[i + 2].is("row") || tokens_[i + 2].is("rows"));
      if (skips) refuseByChunk(token);
    }
  }

  [[nodiscard]] bool symbolAt(std::size_t i, char c) const { return i < tokens_.size() && tokens_[i].isSymbol(c); }

  [[noreturn]] static void refuseByChunk(const Token& token) {
    fail(
        "statement: " + upperFirst(token.lowered) + " at byte " + std::to_string(token.begin) +
        " is refused: it would act on each chunk by itself, not on the whole"
    );
  }

  // `insert … select count(*) from t where {range}`; a subquery's own are its own, if it reads something.
  void checkSelectList(std::size_t select, std::size_t from) const {
    for (std::size_t i = select + 1; i + 1 < from; ++i) {
      const Token& token = tokens_[i];
      if (token.is("select") && hasOwnFrom(i)) {
        const int depth = token.depth;
        while (i + 1 < from && tokens_[i].depth >= depth) ++i;
      } else if (tokens_[i + 1].isSymbol('(') && (token.is("over") || isOneOf(token, kAggregates))) {
        refuseByChunk(token);
      }
    }
  }

  // Whether the subquery that begins at `i` reads a table.
  [[nodiscard]] bool hasOwnFrom(std::size_t i) const {
    for (const int depth = tokens_[i].depth; tokens_[i].depth >= depth; ++i) {
      if (tokens_[i].depth == depth && tokens_[i].is("from")) return true;
    }
    return false;
  }

  // `insert into u with t as (…) select * from t where {range}`: t is another one then.
  void checkCommonTables(std::size_t select) const {
    auto with = find("with", 1);
    for (std::size_t i = with.value_or(select); i < select; ++i) {
      const Token& token = tokens_[i];
      if (token.depth != 0 || !token.isName() || !mayDifferInCaseOnly(token.text, table_.table)) continue;
      fail(
          "statement: WITH at byte " + std::to_string(token.begin) + " calls '" + token.text +
          "' what may hide the table " + table_.toString() + "; expected another name"
      );
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
    if (i < tokens_.size() && tokens_[i].is("partition")) {
      while (i < tokens_.size() && !(tokens_[i].depth == 0 && tokens_[i].isSymbol(')'))) ++i;
      ++i;
    }
    if (i < tokens_.size() && tokens_[i].is("for")) {
      fail(
          "statement: FOR at byte " + std::to_string(tokens_[i].begin) +
          " is refused: a portion of a period would move rows to other chunks, and the history is none of the rows "
          "that "
          "are walked"
      );
    }
    if (i < tokens_.size() && tokens_[i].is("as")) ++i;
    const bool has_alias = i < tokens_.size() && tokens_[i].isName() && !isOneOf(tokens_[i], kBehindTable);
    return has_alias ? tokens_[i].text : table_.table;
  }

  void checkAlias() {
    result_.called = calledAt(walked_);
    const std::string& alias = tokens_[range_].text;
    if (alias.empty() || alias == result_.called) return;
    fail(
        "statement: {range:" + alias + "} would bound '" + alias + "', expected {range:" + result_.called +
        "}: the statement calls so the table whose key is walked"
    );
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
      walked_ = skipModifiers(1);
      requireTable(walked_, "UPDATE");
      return;
    }
    const auto from = find("from", 1);
    if (!from || *from > range_) fail("statement: has no FROM before {range}");
    walked_ = *from + 1;
    requireTable(walked_, "FROM");
    if (result_.kind == StatementKind::kDelete) {
      multiTableDelete(*from);
      return;
    }
    std::size_t i = skipModifiers(1);
    const auto target = nameAt(i);
    if (!target) fail("statement: INSERT names no table");
    const std::size_t select = *find("select", 0);
    checkCommonTables(select);
    checkSelectList(select, *from);
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
    if (name == from) {
      // Without a name before FROM there are no joins: what USING leads to is a list of tables.
      const auto list = find("using", from);
      if (!list || *list > range_) return;
      fail("statement: DELETE … USING is refused; write DELETE alias FROM " + table_.toString() + " alias …");
    }
    const std::string called = calledAt(from + 1);
    const auto deleted = nameAt(name);
    if (deleted && deleted->schema == table_.schema && deleted->table == called) return;
    fail(
        "statement: deletes from " + (deleted ? deleted->toString() : "no table") + ", expected '" + called +
        "', the table whose key is walked"
    );
  }

  void findAssigned() {
    const auto set = find("set", 1);
    if (!set || *set > range_) fail("statement: UPDATE has no SET before {range}");
    requireNoList(1, *set, ("updates a list of tables; join the others to " + table_.toString() + " instead").c_str());
    bool shares_columns = false;
    for (std::size_t i = walked_; i != *set; ++i) {
      result_.joined = result_.joined || tokens_[i].is("join") || tokens_[i].is("straight_join");
      shares_columns = shares_columns || tokens_[i].is("natural") || tokens_[i].is("using");
    }
    for (const std::vector<std::string>& names : columnsAt(*set + 1, find("where", *set).value_or(range_))) {
      requireOwn(names);
      if (names.size() == 1 && shares_columns) {
        fail(
            "statement: sets '" + names[0] +
            "', which a NATURAL JOIN or USING may share with another table; expected '" + result_.called + "." +
            names[0] + "'"
        );
      }
      result_.assigned.push_back(names.back());
    }
  }

  void findDuplicatesAssigned() {
    const auto update = find("update", *find("duplicate", range_));
    if (!update) return;
    for (auto& names : columnsAt(*update + 1, tokens_.size())) result_.assigned.push_back(std::move(names.back()));
  }

  // COLUMN, CALLED.COLUMN or SCHEMA.CALLED.COLUMN.
  void requireOwn(const std::vector<std::string>& names) const {
    if (names.size() == 1) return;
    const bool own = names[names.size() - 2] == result_.called &&
                     (names.size() == 2 || (names.size() == 3 && names[0] == table_.schema));
    if (own) return;
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ".") + name;
    fail(
        "statement: sets '" + text + "', expected columns of '" + result_.called +
        "' only, the table whose key is walked"
    );
  }

  // The names in front of each `=` of a list of assignments.
  [[nodiscard]] std::vector<std::vector<std::string>> columnsAt(std::size_t i, std::size_t end) const {
    std::vector<std::vector<std::string>> columns;
    for (; i < end; ++i) {
      std::vector<std::string>& names = columns.emplace_back();
      for (bool name_next = true; i == end || name_next || !tokens_[i].isSymbol('='); name_next = !name_next, ++i) {
        if (i == end || !(name_next ? tokens_[i].isName() : tokens_[i].isSymbol('.'))) {
          const std::string found = i == tokens_.size() ? "its end" : "'" + tokens_[i].text + "'";
          fail("statement: what is set must be written COLUMN = …, found " + found);
        }
        if (name_next) names.push_back(tokens_[i].text);
      }
      while (i < end && !(tokens_[i].depth == 0 && tokens_[i].isSymbol(','))) ++i;
    }
    return columns;
  }

  const std::string_view text_;
  const TableName& table_;
  std::vector<Token> tokens_;
  std::size_t range_ = 0;
  std::size_t walked_ = 0;  // the name of the table whose key is walked
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

bool mayBeSame(const TableName& a, const TableName& b) {
  return mayDifferInCaseOnly(a.schema, b.schema) && mayDifferInCaseOnly(a.table, b.table);
}

BatchStatement parseStatement(std::string_view text, const TableName& table) {
  return Parser(text, table).run();
}

}  // namespace disttask::sql_batch
