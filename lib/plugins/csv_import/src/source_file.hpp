#pragma once
#include "disttask/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::csv_import {

/// Tells one state of a file from another; the same on every node that sees the same file.
struct FileIdentity {
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

/// A file is not on this node, or cannot be read or written here; another node may be able to.
class FileMissing : public Exception {
 public:
  explicit FileMissing(std::string sentence) : Exception(ErrorCode::kNotFound, std::move(sentence)) {}
};

/// A regular file, open for reading. Any thread.
class SourceFile {
 public:
  /// Opens `path` if it stands, with all links resolved, below one of `allowed_dirs`. Throws FileMissing, or
  /// kInvalidArgument.
  SourceFile(const std::string& path, const std::vector<std::string>& allowed_dirs);
  SourceFile(const SourceFile&) = delete;
  SourceFile& operator=(const SourceFile&) = delete;
  ~SourceFile();

  /// Returns what the open file is like now. Throws FileMissing when it cannot be asked.
  [[nodiscard]] FileIdentity identity() const;
  /// Throws kInvalidArgument "… has changed since planning: …" unless the open file is still like this.
  void expect(const FileIdentity& planned) const;
  /// Reads up to `size` bytes at `offset` into `buffer`; returns them (fewer only at the end of the file). Throws
  /// FileMissing on a read error.
  std::string_view read(std::string& buffer, std::uint64_t offset, std::size_t size) const;
  /// Throws kInvalidArgument if the file begins like a compressed one, or is not in a charset of one byte per ASCII
  /// character.
  void refuseCompressed() const;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
  int descriptor_ = -1;
};

/// How much is read at a time.
inline constexpr std::size_t kBlockBytes = std::size_t{256} << 10;

}  // namespace disttask::csv_import
