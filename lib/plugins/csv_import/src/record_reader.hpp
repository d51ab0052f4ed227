#pragma once
#include "csv_error.hpp"

#include <csv.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::csv_import {

/// One field of a record. `quoted` tells "" from nothing, and "NULL" from NULL.
struct Field {
  std::string_view text;
  bool quoted = false;
};

/// One record; views are valid during the call that gives it.
struct Record {
  FilePlace place;        ///< where it begins
  std::uint64_t end = 0;  ///< offset behind its last byte, its line break not counted
  std::vector<Field> fields;
};

/// Takes records apart with libcsv: strict mode, blanks kept, lone carriage returns refused, empty lines skipped. Bytes
/// come in blocks of any size. One thread.
class RecordReader {
 public:
  using OnRecord = std::function<void(const Record&)>;

  RecordReader(Grammar grammar, FilePlace start, OnRecord on_record);
  RecordReader(const RecordReader&) = delete;
  RecordReader& operator=(const RecordReader&) = delete;
  ~RecordReader();

  /// Gives each record that ends in this block to `on_record`. Throws CsvError, or what `on_record` throws: the reader
  /// is of no use then.
  void feed(std::string_view block);
  /// The range ends here: gives the last record if it has no line break. Throws as feed.
  void finish();
  /// Returns where the next byte is.
  [[nodiscard]] FilePlace place() const noexcept { return place_; }

 private:
  static void onField(void* text, std::size_t size, void* self) noexcept;
  static void onEnd(int terminator, void* self) noexcept;
  void addField(const char* text, std::size_t size);
  void endRecord(int terminator);
  void rethrow();
  [[nodiscard]] FilePlace placeOf(std::uint64_t offset, std::string_view block) const;

  const Grammar grammar_;
  const OnRecord on_record_;
  csv_parser parser_{};
  FilePlace place_;                  // where the next field, or the next record, begins
  std::string_view block_;           // the bytes of the present feed
  std::uint64_t block_offset_ = 0;   // their offset in the file
  char carried_byte_ = 0;            // the byte at place_ when it was in an earlier block
  std::uint64_t carried_lines_ = 0;  // line feeds of the present field in earlier blocks
  bool return_seen_ = false;         // a carriage return ended a line: a line feed must follow
  Record record_;
  std::vector<std::size_t> sizes_;  // of the record's fields in text_
  std::string text_;
  std::exception_ptr failure_;  // nothing may be thrown through libcsv
};

}  // namespace disttask::csv_import
