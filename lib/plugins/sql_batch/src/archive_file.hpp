#pragma once
#include "archive.hpp"
#include "archive_table.hpp"

#include <string>
#include <vector>

namespace disttask::sql_batch {

/// A CSV file for each subtask and host, as csv_import reads it: a header, NULL as an empty field, all else in quotes.
/// A chunk's rows are on the disk before its delete is committed; what stands behind the length that the ledger knows
/// was never deleted, and is cut off by the next run here. The file is locked while a run has it, and only one that the
/// ledger names is cut.
class FileArchive final : public Archive {
 public:
  FileArchive(const TaskNote& note, std::vector<CopyColumn> columns, std::string path);
  FileArchive(const FileArchive&) = delete;
  FileArchive& operator=(const FileArchive&) = delete;
  ~FileArchive() override;
  std::string newFile(const SegmentProgress& progress) override;
  std::int64_t copy(sqlclient::Connection&, const std::string& condition, SegmentProgress& progress) override;

 private:
  /// Opens and locks it; returns its size.
  std::int64_t open();
  void cutTo(std::int64_t valid);
  void append(const std::string& text);

  const TaskNote& note_;
  const BatchStatement statement_;
  const std::vector<CopyColumn> columns_;
  const std::string path_;
  int file_ = -1;
  std::int64_t length_ = 0;  // that is written
};

/// Returns the file of a subtask on this host: PATH.STORE.task7.chunk3.HOST.csv. Ids of tasks begin anew in each store.
[[nodiscard]] std::string archivePath(
    const std::string& path, const std::string& store_id, std::int64_t task, std::int32_t ordinal
);
/// Throws kInvalidArgument when the path is not below one of the directories, links resolved, or not writable.
void requireAllowed(const std::string& path, const std::vector<std::string>& directories);

}  // namespace disttask::sql_batch
