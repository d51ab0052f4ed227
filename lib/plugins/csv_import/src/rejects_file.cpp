#include "rejects_file.hpp"

#include "disttask/base/random.hpp"
#include "disttask/base/sandbox.hpp"

#include <csv.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace disttask::csv_import {
namespace {

std::string quotedField(const std::string& text) {
  std::string quoted(csv_write(nullptr, 0, text.data(), text.size()), '\0');
  csv_write(quoted.data(), quoted.size(), text.data(), text.size());
  return quoted;
}

// No directory, no space, a bad disk: a matter of this node, so another one may do the chunk.
[[noreturn]] void cannotWrite(const std::string& path) {
  const std::string why = std::strerror(errno);  // NOLINT(concurrency-mt-unsafe): glibc's is safe
  throw FileMissing(
      "rejects file '" + path + "' (plugins.config.csv_import.rejects_dir) cannot be written on this node: " + why +
      sandboxWriteHint(path)
  );
}

}  // namespace

RejectsFile::RejectsFile(
    const std::string& directory,
    const SourceFile& source,
    const std::string& store_id,
    std::int64_t task,
    std::int32_t ordinal
)
    : source_(source) {
  if (directory.empty()) return;
  const std::string name = source.path().substr(source.path().rfind('/') + 1);
  path_ = directory + "/" + name + "." + store_id + ".task" + std::to_string(task) + ".chunk" +
          std::to_string(ordinal) + ".rejects.csv";
  temporary_ = path_ + "." + std::to_string(static_cast<std::uint64_t>(randomToken())) + ".tmp";
}

RejectsFile::~RejectsFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void RejectsFile::add(const RowSource& record, const std::string& reason) {
  if (path_.empty()) return;
  if (!open_) {
    // Whoever else may write to the directory cannot know the name, nor lay a link where the file goes.
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (descriptor_ < 0) cannotWrite(temporary_);
    open_ = true;
    write("line,byte_offset,reason,record\n");
  }
  std::string buffer;
  const std::string raw(
      source_.read(buffer, record.place.offset, static_cast<std::size_t>(record.end - record.place.offset))
  );
  write(
      std::to_string(record.place.line) + "," + std::to_string(record.place.offset) + "," + quotedField(reason) + "," +
      quotedField(raw) + "\n"
  );
}

void RejectsFile::write(const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::write(descriptor_, text.data() + done, text.size() - done);
    if (count < 0 && errno != EINTR) cannotWrite(temporary_);
    if (count > 0) done += static_cast<std::size_t>(count);
  }
}

void RejectsFile::publish() {
  if (!open_) return;
  if (::fsync(descriptor_) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) cannotWrite(path_);
  ::close(descriptor_);
  descriptor_ = -1;
}

}  // namespace disttask::csv_import
