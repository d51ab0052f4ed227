#pragma once
#include "csv_error.hpp"
#include "row_sink.hpp"
#include "source_file.hpp"

#include <cstdint>
#include <string>

namespace disttask::csv_import {

/// Collects the bad records of one chunk: a CSV file with line, byte offset, reason and the record as it stood. It
/// appears under its name only when it is complete; a second run of the chunk replaces it. One thread.
class RejectsFile {
 public:
  /// `directory` may be empty: then nothing is written. Ids of tasks begin anew in each store.
  RejectsFile(
      const std::string& directory,
      const SourceFile& source,
      const std::string& store_id,
      std::int64_t task,
      std::int32_t ordinal
  );
  RejectsFile(const RejectsFile&) = delete;
  RejectsFile& operator=(const RejectsFile&) = delete;
  ~RejectsFile();

  /// Throws FileMissing when the file cannot be written on this node.
  void add(const RowSource& record, const std::string& reason);
  /// Gives the file its name; without records there is none. Throws as add.
  void publish();
  /// Returns the path, or "" when there is no record.
  [[nodiscard]] std::string path() const { return open_ ? path_ : std::string(); }

 private:
  void write(const std::string& text);

  const SourceFile& source_;
  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
  bool open_ = false;
};

}  // namespace disttask::csv_import
