#pragma once
#include "disttask/base/error.hpp"

#include <cstdint>
#include <string>

namespace disttask::csv_import {

/// A place in a file: byte offset from its start, and the physical line (1, 2, 3 …; line feeds count, also inside
/// quotes).
struct FilePlace {
  std::uint64_t offset = 0;
  std::uint64_t line = 1;
};

/// Returns "line 12, byte 345".
[[nodiscard]] inline std::string toString(const FilePlace& place) {
  return "line " + std::to_string(place.line) + ", byte " + std::to_string(place.offset);
}

/// The file breaks the grammar: nothing behind this place can be trusted.
class CsvError : public Exception {
 public:
  CsvError(const FilePlace& where, const std::string& what)
      : Exception(ErrorCode::kInvalidArgument, toString(where) + ": " + what), place(where) {}
  FilePlace place;
};

/// The characters that make the grammar. Records end with LF or CRLF; both may stand inside quotes.
struct Grammar {
  char delimiter = ',';
  char quote = '"';
};

/// A single record may not be longer: it is held in memory, and no server would take it.
inline constexpr std::uint64_t kMaxRecordBytes = std::uint64_t{64} << 20;

// The one wording of each grammar error, whoever finds it.
inline constexpr const char* kUnterminatedQuote = "a quoted field begins here and never ends";
inline constexpr const char* kStrayQuote = "a quote inside a field that does not begin with one";
inline constexpr const char* kTextAfterQuote = "text after the closing quote of a field";
inline constexpr const char* kLoneCarriageReturn = "a carriage return without line feed outside quotes";
inline constexpr const char* kRecordTooLong = "a record of more than 64 MiB begins here; is a closing quote missing?";

}  // namespace disttask::csv_import
