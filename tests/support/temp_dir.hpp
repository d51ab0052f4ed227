#pragma once
#include <filesystem>
#include <string>
#include <string_view>

namespace disttask::test {

/// A folder of its own for one test case, removed with all in it at the end. Thread-compatible.
class TempDir {
 public:
  /// Makes it below TMPDIR (default /tmp). Throws std::system_error.
  TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// Returns the path of `name` in it.
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  /// Writes a file in it (folders on the way are made) and returns its path.
  std::filesystem::path write(std::string_view name, std::string_view content) const;

 private:
  std::filesystem::path path_;
};

/// Returns the bytes of a file; throws std::system_error when it cannot be read.
[[nodiscard]] std::string readFile(const std::filesystem::path& path);

}  // namespace disttask::test
