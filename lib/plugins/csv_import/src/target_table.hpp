#pragma once
#include "disttask/sqlclient/connection.hpp"
#include "import_options.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::csv_import {

/// Types that the server converts, and some values of which it changes without a word: those are checked here.
enum class ConvertedType : std::uint8_t {
  kAny,     ///< whatever is changed shows as an error or a warning
  kDate,    ///< a time of day is cut off
  kTime,    ///< surplus digits of a second are rounded or cut off
  kMoment,  ///< datetime, timestamp: likewise
  kList,    ///< enum, set: digits that are no member are taken for the number of one
  kBits,    ///< bit: the bytes of the text go in, not its number
};

enum class ColumnKind : std::uint8_t {
  kInteger,  ///< tinyint … bigint: checked here, part of the checksum
  kText,     ///< char, varchar, text: checked here, part of the checksum
  kBinary,   ///< binary, varbinary, blob: likewise
  kOther,    ///< the server converts it (numbers with a fraction, dates, enum, json …); not part of the checksum
};

/// A column of the target as information_schema describes it.
struct Column {
  std::string name;
  ColumnKind kind = ColumnKind::kOther;
  std::string type;  ///< as in `create table`, for messages
  bool nullable = true;
  bool auto_increment = false;
  bool generated = false;
  bool has_default = false;
  bool fixed = false;      ///< char or binary: blanks, or zero bytes, at the end are padding
  bool converts = false;   ///< text in another character set than utf8mb4
  std::int64_t least = 0;  ///< of integers
  std::uint64_t most = 0;
  std::uint64_t max_length = 0;  ///< characters of char and varchar, else bytes; 0 = not checked here
  bool length_in_bytes = false;
  ConvertedType converted = ConvertedType::kAny;  ///< of kOther
  std::size_t time_digits = 0;                    ///< digits of a second's fraction that the column keeps
  std::vector<std::string> numbers;               ///< members of an enum or set that are digits only
};

/// Builds a column from what information_schema.columns says. Pure.
struct ColumnFacts {
  std::string name, data_type, column_type, extra, charset;
  bool nullable = true;
  bool has_default = false;
  std::int64_t max_characters = 0;
  std::int64_t max_bytes = 0;
  std::int64_t time_digits = 0;
};
[[nodiscard]] Column makeColumn(const ColumnFacts& facts);

/// The target of an import: its columns in the order of the file's fields.
struct TargetTable {
  std::string schema;
  std::string table;
  std::vector<Column> columns;
  std::string range_key;  ///< first column of the primary key if it is an integer, else empty
  bool has_index = true;
  bool is_plain = false;  ///< the file has all columns but generated ones, and no trigger is seen

  [[nodiscard]] std::vector<std::string> columnsLeftOut() const;
};

/// Reads the table and matches the wanted names (case does not matter). Throws kInvalidArgument: no such table or
/// column, a generated or a bit column, a column without default that the file lacks, a storage engine without
/// transactions.
[[nodiscard]] TargetTable describeTarget(
    sqlclient::Connection& connection,
    const std::string& schema,
    const std::string& table,
    const std::vector<std::string>& wanted
);

}  // namespace disttask::csv_import
