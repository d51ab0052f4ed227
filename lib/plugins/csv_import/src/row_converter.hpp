#pragma once
#include "disttask/sqlclient/connection.hpp"
#include "import_options.hpp"
#include "record_reader.hpp"
#include "row_hash.hpp"
#include "target_table.hpp"

#include <optional>
#include <string>
#include <vector>

namespace disttask::csv_import {

/// Turns records into values to bind, and into row hashes. Refuses what the server would change silently: blanks cut
/// off, fractions in integers, a time of day in a date, surplus digits of a second, numbers of members of an enum or
/// set, NULL where a number would be generated. One thread.
class RowConverter {
 public:
  RowConverter(const ImportOptions& options, const std::vector<Column>& columns);

  /// Puts the record's values at `first` and the columns.size() - 1 places behind it (strings are reused), and sets
  /// `hash`. Returns a sentence when the record cannot be a row of the table: its values are then not to be used.
  std::optional<std::string> convert(const Record& record, sqlclient::Value* first, std::uint64_t& hash);

 private:
  std::optional<std::string> convertField(const Field& field, const Column& column, sqlclient::Value& value);
  std::optional<std::string> convertInteger(std::string_view text, const Column& column, sqlclient::Value& value);
  std::optional<std::string> checkText(std::string_view text, const Column& column) const;
  static std::optional<std::string> checkConverted(std::string_view text, const Column& column);
  void keep(std::optional<std::string_view> canonical) { canonical_.push_back(canonical); }

  const ImportOptions& options_;
  const std::vector<Column>& columns_;
  RowHasher hasher_;
  std::vector<std::optional<std::string_view>> canonical_;  // of the present record
  std::vector<std::string> scratch_;                        // canonical texts that are not in the file, by column
  std::size_t index_ = 0;                                   // of the present column
};

/// Returns `text` for a message: cut to 40 bytes, in single quotes, bad bytes replaced.
[[nodiscard]] std::string shown(std::string_view text);

}  // namespace disttask::csv_import
