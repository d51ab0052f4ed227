#pragma once
#include "disttask/storage/memory/memory_rows.hpp"

#include <filesystem>
#include <mutex>
#include <string>

namespace disttask::ctl {

/// Writes all rows as text; readTrialRows reads it again. Bytes are kept exactly.
[[nodiscard]] std::string writeTrialRows(const storage::MemoryRows::Data& data);
/// Puts the rows of such a text into `rows`, which are empty. Throws kInvalidArgument for any other text.
void readTrialRows(const std::string& text, storage::MemoryRows& rows);

/// Keeps rows in a file beside them, so that they outlive the process as those of a store do: a write is answered only
/// when the file has it. Any thread.
class KeptRows {
 public:
  /// Reads the file when there is one. From then on each write of a table on `rows` is kept. The rows outlive this.
  KeptRows(storage::MemoryRows& rows, std::filesystem::path file);
  KeptRows(const KeptRows&) = delete;
  KeptRows& operator=(const KeptRows&) = delete;
  ~KeptRows();
  /// Writes the file now: after changes behind the tables' back. Throws kInternal when it cannot be written.
  void save();

 private:
  storage::MemoryRows& rows_;
  const std::filesystem::path file_;
  std::mutex mutex_;
};

}  // namespace disttask::ctl
