#include "row_converter.hpp"

#include "disttask/base/utf8.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace disttask::csv_import {
namespace {

constexpr std::size_t kShownBytes = 40;

bool isAscii(std::string_view text) noexcept {
  const char* p = text.data();
  std::size_t left = text.size();
  std::uint64_t bits = 0;
  for (; left >= 8; p += 8, left -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, sizeof word);
    bits |= word;
  }
  for (; left > 0; ++p, --left) bits |= static_cast<unsigned char>(*p);
  return (bits & 0x8080808080808080U) == 0;
}

std::size_t numCharacters(std::string_view utf8) noexcept {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  }));
}

std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// True if a text for a date has a time of day behind it that is not midnight. Not every server warns when it cuts that
/// off.
bool hasTimeOfDay(std::string_view text) noexcept {
  const std::string_view date = trimmed(text);
  const std::size_t end = date.find_first_of(" T");
  return end != std::string_view::npos && date.find_first_of("123456789", end) != std::string_view::npos;
}

bool isDigits(std::string_view text) noexcept {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Returns the digits of a second's fraction in a text for a time or a point in time; empty: it has none. A full stop
/// may also stand between the parts of a date.
std::string_view fractionOf(std::string_view text, bool is_time) noexcept {
  const std::size_t stop = text.rfind('.');
  if (stop == std::string_view::npos) return {};
  int num_parts = 0;  // numbers before the full stop: six, or all in one; hours may be left out of a time
  bool in_number = false;
  for (const char c : text.substr(0, stop)) {
    const bool digit = c >= '0' && c <= '9';
    if (digit && !in_number) ++num_parts;
    in_number = digit;
  }
  if (!is_time && num_parts != 1 && num_parts < 6) return {};
  const std::string_view rest = text.substr(stop + 1);
  return rest.substr(0, rest.find_first_not_of("0123456789"));
}

/// True if the server would look for the member of this number: it takes blanks and a sign before it.
bool isNumberOfMember(std::string_view text, const std::vector<std::string>& numbers) noexcept {
  const std::string_view written = text.substr(0, text.find_last_not_of(' ') + 1);
  std::string_view digits = written.substr(std::min(written.find_first_not_of(" \t\n\v\f\r"), written.size()));
  if (!digits.empty() && (digits[0] == '+' || digits[0] == '-')) digits.remove_prefix(1);
  return isDigits(digits) && std::find(numbers.begin(), numbers.end(), written) == numbers.end();
}

void setText(sqlclient::Value& value, std::string_view text) {
  if (auto* present = std::get_if<std::string>(&value)) {
    present->assign(text);
  } else {
    value.emplace<std::string>(text);
  }
}

std::string inColumn(const Column& column) {
  return " for column '" + column.name + "' (" + column.type + ")";
}

}  // namespace

std::string shown(std::string_view text) {
  std::string cut = toValidUtf8(text, kShownBytes);
  return "'" + cut + (text.size() > kShownBytes ? "…'" : "'");
}

RowConverter::RowConverter(const ImportOptions& options, const std::vector<Column>& columns)
    : options_(options), columns_(columns), scratch_(columns.size()) {
  canonical_.reserve(columns.size());
}

std::optional<std::string> RowConverter::convert(const Record& record, sqlclient::Value* first, std::uint64_t& hash) {
  if (record.fields.size() != columns_.size()) {
    return std::to_string(record.fields.size()) + (record.fields.size() == 1 ? " field" : " fields") + ", expected " +
           std::to_string(columns_.size());
  }
  canonical_.clear();
  for (index_ = 0; index_ != columns_.size(); ++index_) {
    if (auto problem = convertField(record.fields[index_], columns_[index_], first[index_])) return problem;
  }
  hash = canonical_.empty() ? 0 : hasher_.hash(canonical_);
  return std::nullopt;
}

std::optional<std::string> RowConverter::convertField(
    const Field& field, const Column& column, sqlclient::Value& value
) {
  if (!field.quoted && options_.null_text && field.text == *options_.null_text) {
    if (!column.nullable) return "NULL" + inColumn(column) + ", which is not null";
    if (column.auto_increment) return "NULL" + inColumn(column) + ", where the server would make up a number";
    value = nullptr;
    if (column.kind != ColumnKind::kOther) keep(std::nullopt);
    return std::nullopt;
  }
  if (column.kind == ColumnKind::kInteger) return convertInteger(field.text, column, value);
  if (auto problem = checkText(field.text, column)) return problem;
  setText(value, field.text);
  if (column.kind == ColumnKind::kOther) return std::nullopt;
  std::string_view canonical = field.text;
  if (column.fixed && column.kind == ColumnKind::kText) {
    canonical = canonical.substr(0, canonical.find_last_not_of(' ') + 1);
  } else if (column.fixed && canonical.size() < column.max_length) {
    scratch_[index_].assign(canonical);
    scratch_[index_].resize(column.max_length, '\0');
    canonical = scratch_[index_];
  }
  keep(canonical);
  return std::nullopt;
}

std::optional<std::string> RowConverter::convertInteger(
    std::string_view text, const Column& column, sqlclient::Value& value
) {
  std::string_view digits = trimmed(text);
  const bool negative = !digits.empty() && digits[0] == '-';
  if (negative || (!digits.empty() && digits[0] == '+')) digits.remove_prefix(1);
  std::uint64_t number = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
  if (!whole) return "value " + shown(text) + " is not an integer" + inColumn(column);
  const std::uint64_t lowest = std::uint64_t{0} - static_cast<std::uint64_t>(column.least);
  if (result.ec != std::errc() || (negative ? number > lowest : number > column.most)) {
    return "value " + shown(text) + " is out of range" + inColumn(column);
  }
  std::string& canonical = scratch_[index_];
  canonical.resize(24);
  char* const end = canonical.data() + canonical.size();
  if (negative || number <= INT64_MAX) {
    const auto signed_number = static_cast<std::int64_t>(negative ? std::uint64_t{0} - number : number);
    value = signed_number;
    canonical.resize(
        static_cast<std::size_t>(std::to_chars(canonical.data(), end, signed_number).ptr - canonical.data())
    );
  } else {
    canonical.resize(static_cast<std::size_t>(std::to_chars(canonical.data(), end, number).ptr - canonical.data()));
    setText(value, canonical);
  }
  keep(canonical);
  return std::nullopt;
}

std::optional<std::string> RowConverter::checkConverted(std::string_view text, const Column& column) {
  switch (column.converted) {
    case ConvertedType::kDate:
      if (!hasTimeOfDay(text)) return std::nullopt;
      return "value " + shown(text) + " has a time of day, which would be cut off" + inColumn(column);
    case ConvertedType::kTime:
    case ConvertedType::kMoment: {
      const std::string_view digits = fractionOf(text, column.converted == ConvertedType::kTime);
      if (digits.find_first_of("123456789", column.time_digits) == std::string_view::npos) return std::nullopt;
      return "value " + shown(text) + " has more digits of a second than are kept" + inColumn(column);
    }
    case ConvertedType::kList:
      if (!isNumberOfMember(text, column.numbers)) return std::nullopt;
      return "value " + shown(text) + " is no member, and would be taken for the number of one" + inColumn(column);
    case ConvertedType::kAny:
    case ConvertedType::kBits:
      break;
  }
  return std::nullopt;
}

std::optional<std::string> RowConverter::checkText(std::string_view text, const Column& column) const {
  const bool must_be_utf8 =
      column.kind == ColumnKind::kText || (column.kind == ColumnKind::kOther && options_.charset == Charset::kUtf8);
  const bool ascii = isAscii(text);
  if (must_be_utf8 && !ascii) {
    const std::size_t bad = findInvalidUtf8(text);
    if (bad != std::string_view::npos) {
      return "bad UTF-8 at byte " + std::to_string(bad + 1) + " of the field" + inColumn(column);
    }
  }
  if (column.kind == ColumnKind::kOther) return checkConverted(text, column);
  // The server cuts blanks beyond the length without an error; whatever is longer is refused here.
  if (column.max_length == 0 || text.size() <= column.max_length) return std::nullopt;
  const std::size_t length = column.length_in_bytes || ascii ? text.size() : numCharacters(text);
  if (length <= column.max_length) return std::nullopt;
  return "value " + shown(text) + " of " + std::to_string(length) +
         (column.length_in_bytes ? " bytes" : " characters") + " is too long" + inColumn(column);
}

}  // namespace disttask::csv_import
