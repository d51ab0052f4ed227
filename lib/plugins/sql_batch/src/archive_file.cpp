#include "archive_file.hpp"

#include "disttask/base/failpoint.hpp"
#include "disttask/base/sandbox.hpp"
#include "disttask/plugin_common/json_fields.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace disttask::sql_batch {
namespace {

using plugin_common::fail;

[[noreturn]] void failWith(const std::string& path, const std::string& what) {
  const std::string why = std::strerror(errno);  // NOLINT(concurrency-mt-unsafe): glibc's is safe
  fail("archive.file: '" + path + "' " + what + ": " + why + sandboxWriteHint(path));
}

void appendField(std::string& line, const std::string& text) {
  line += '"';
  for (const char c : text) line.append(c == '"' ? 2 : 1, c);
  line += '"';
}

std::string exactText(double value) {
  std::array<char, 40> text{};
  return {text.data(), static_cast<std::size_t>(std::snprintf(text.data(), text.size(), "%.17g", value))};
}

}  // namespace

FileArchive::FileArchive(const TaskNote& note, std::vector<CopyColumn> columns, std::string path)
    : note_(note),
      statement_(parseStatement(note.work.statement, note.work.table)),
      columns_(std::move(columns)),
      path_(std::move(path)) {}

FileArchive::~FileArchive() {
  if (file_ >= 0) ::close(file_);
}

std::int64_t FileArchive::open() {
  if (file_ < 0) {
    const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (file < 0) failWith(path_, "cannot be written to");
    // A run that was thought dead may wake up, and would write over what the next one has put here. Some file systems
    // have no locks: there the ledger alone decides, which is enough unless both write at the same moment.
    if (::flock(file, LOCK_EX | LOCK_NB) != 0 && errno != ENOLCK && errno != EOPNOTSUPP) {
      const int reason = errno;
      ::close(file);
      if (reason == EWOULDBLOCK) {
        throw Exception(
            ErrorCode::kStoreConflict, "archive.file: '" + path_ + "' is in use by another run on this host"
        );
      }
      errno = reason;
      failWith(path_, "cannot be locked");
    }
    file_ = file;
  }
  struct stat facts {};
  if (::fstat(file_, &facts) != 0) failWith(path_, "cannot be looked at");
  return facts.st_size;
}

// What the ledger does not name may hold the only copy of rows that are deleted, such as those of a task with this id
// before the store was set back to an older state.
std::string FileArchive::newFile(const SegmentProgress& progress) {
  if (progress.files.count(path_) != 0) return {};
  if (open() != 0) {
    fail("archive.file: '" + path_ + "' is there already, and the ledger does not know it; move it away");
  }
  return path_;
}

void FileArchive::cutTo(std::int64_t valid) {
  const std::int64_t size = open();
  if (size < valid) {
    fail(
        "archive.file: '" + path_ + "' has " + std::to_string(size) + " bytes, and the rows of " +
        std::to_string(valid) + " bytes are deleted already; was it cut?"
    );
  }
  if (::ftruncate(file_, valid) != 0 || ::lseek(file_, valid, SEEK_SET) < 0) failWith(path_, "cannot be cut");
  length_ = valid;
}

void FileArchive::append(const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = ::write(file_, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) failWith(path_, "cannot be written to");
    done += static_cast<std::size_t>(count);
  }
  length_ += static_cast<std::int64_t>(text.size());
}

std::int64_t FileArchive::copy(
    sqlclient::Connection& connection, const std::string& condition, SegmentProgress& progress
) {
  const std::int64_t valid = progress.files.at(path_);
  if (file_ < 0 || length_ != valid) cutTo(valid);  // the chunk before may have been rolled back
  std::string text;
  if (valid == 0) {
    for (const CopyColumn& column : columns_) {
      if (!text.empty()) text += ',';
      appendField(text, column.name);
    }
    text += '\n';
  }
  std::string list;
  for (const CopyColumn& column : columns_) list += (list.empty() ? "" : ", ") + column.read;
  std::int64_t count = 0;
  auto rows = connection.queryDynamic(
      "sql_batch.archive_select", statement_.renderSelect(list, note_.work.table, condition), {}
  );
  while (rows.next()) {
    ++count;
    for (std::uint32_t i = 0; i != columns_.size(); ++i) {
      if (i != 0) text += ',';
      const sqlclient::Value value = valueAt(rows, i + 1, columns_[i]);
      if (const auto* number = std::get_if<double>(&value)) appendField(text, exactText(*number));
      if (const auto* words = std::get_if<std::string>(&value)) appendField(text, *words);
    }
    text += '\n';
  }
  if (count == 0) return 0;
  append(text);
  if (::fdatasync(file_) != 0) failWith(path_, "cannot be brought to the disk");
  if (valid == 0) {
    // The name of a new file has to be there after a crash, too.
    const std::string folder = std::filesystem::path(path_).parent_path().string();
    const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = directory >= 0 && ::fsync(directory) == 0;
    if (directory >= 0) ::close(directory);
    if (!synced) failWith(folder, "cannot be brought to the disk");
  }
  DISTTASK_FAILPOINT("sql_batch.archived");
  progress.files[path_] = length_;
  return count;
}

std::string archivePath(const std::string& path, const std::string& store_id, std::int64_t task, std::int32_t ordinal) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host = {"host"};
  return path + "." + store_id + ".task" + std::to_string(task) + ".chunk" + std::to_string(ordinal) + "." +
         host.data() + ".csv";
}

void requireAllowed(const std::string& path, const std::vector<std::string>& directories) {
  std::error_code error;
  const auto folder = std::filesystem::canonical(std::filesystem::path(path).parent_path(), error);
  if (error) fail("archive.file: the folder of '" + path + "' is not there: " + error.message() + sandboxHint(path));
  for (const std::string& directory : directories) {
    const auto allowed = std::filesystem::canonical(directory, error);
    if (error) continue;
    const auto relative = folder.lexically_relative(allowed);
    if (relative.empty() || *relative.begin() == "..") continue;
    if (::access(folder.c_str(), W_OK | X_OK) != 0) failWith(folder.string(), "cannot be written to");
    return;
  }
  fail("archive.file: '" + path + "' is not below one of plugins.config.sql_batch.archive_dirs");
}

}  // namespace disttask::sql_batch
