#include "source_file.hpp"

#include "disttask/base/sandbox.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <memory>

namespace disttask::csv_import {
namespace {

struct Free {
  void operator()(char* text) const noexcept { std::free(text); }
};

std::string resolved(const std::string& path, int& error) {
  const std::unique_ptr<char, Free> real(::realpath(path.c_str(), nullptr));
  error = real ? 0 : errno;
  return real ? std::string(real.get()) : std::string();
}

bool isBelow(const std::string& path, const std::string& directory) {
  if (directory == "/") return true;
  return path.size() > directory.size() && path.compare(0, directory.size(), directory) == 0 &&
         path[directory.size()] == '/';
}

std::string text(int error) {
  return std::strerror(error);
}  // NOLINT(concurrency-mt-unsafe): glibc's is safe

[[noreturn]] void cannotRead(const std::string& path, int error) {
  throw FileMissing("file '" + path + "' cannot be read on this node: " + text(error) + sandboxHint(path));
}

[[noreturn]] void refuse(const std::string& sentence) {
  throw Exception(ErrorCode::kInvalidArgument, sentence);
}

struct Magic {
  std::string_view bytes;
  std::string_view name;
};
constexpr std::array kCompressed = {
    Magic{"\x1f\x8b", "gzip"},
    Magic{"\x28\xb5\x2f\xfd", "zstd"},
    Magic{std::string_view("\xfd\x37\x7a\x58\x5a\x00", 6), "xz"},
    Magic{"PK\x03\x04", "zip"},
    Magic{"\x04\x22\x4d\x18", "lz4"},
};

// "BZh" alone may begin a text.
bool isBzip2(std::string_view head) {
  if (head.size() < 10 || head.substr(0, 3) != "BZh" || head[3] < '1' || head[3] > '9') return false;
  const std::string_view block = head.substr(4, 6);
  return block == "1AY&SY" || block == "\x17\x72\x45\x38\x50\x90";  // the latter: it holds nothing
}

std::string_view compression(std::string_view head) {
  for (const Magic& magic : kCompressed) {
    if (head.substr(0, magic.bytes.size()) == magic.bytes) return magic.name;
  }
  return isBzip2(head) ? "bzip2" : "";
}

constexpr int kMaxLinks = 40;

/// Returns the longest part of an absolute path that exists, with links resolved, also one that leads nowhere.
std::string nearestExisting(std::filesystem::path path) {
  std::string real;
  for (int i = 0; i != kMaxLinks; ++i) {
    std::filesystem::path rest;  // what is behind that part
    int error = 0;
    while (real = resolved(path.string(), error), error != 0 && path.has_relative_path()) {
      rest = path.filename() / rest;
      path = path.parent_path();
    }
    if (rest.empty()) break;
    std::error_code no_link;
    path = real / std::filesystem::read_symlink(real / *rest.begin(), no_link);
    if (no_link) break;
    for (auto it = std::next(rest.begin()); it != rest.end(); ++it) path /= *it;
  }
  return real;
}

}  // namespace

SourceFile::SourceFile(const std::string& path, const std::vector<std::string>& allowed_dirs) {
  int error = 0;
  path_ = resolved(path, error);
  // A path outside is refused as such whether or not something stands there: the answer must not tell what exists, also
  // not to whom goes out by '..' or by a link.
  const std::string nearest = error == 0 ? path_ : nearestExisting(path);
  bool allowed = false;
  for (const std::string& directory : allowed_dirs) {
    int directory_error = 0;
    const std::string real = resolved(directory, directory_error);
    if (real.empty()) {
      allowed = allowed || isBelow(path, directory);  // nothing there exists on this node
    } else {
      allowed = allowed || isBelow(nearest, real) || (error != 0 && nearest == real);
    }
  }
  if (!allowed) {
    refuse(
        "file '" + path + "' is not below a directory of plugins.config.csv_import.allowed_dirs" +
        (allowed_dirs.empty() ? ", which is empty" : "")
    );
  }
  if (error != 0) cannotRead(path, error);
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) cannotRead(path, errno);
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0) {
    const int why = errno;
    ::close(descriptor_);
    cannotRead(path, why);
  }
  if (!S_ISREG(info.st_mode)) {
    ::close(descriptor_);
    refuse("file '" + path + "' is not a regular file");
  }
  static_cast<void>(::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL));
}

SourceFile::~SourceFile() {
  ::close(descriptor_);
}

FileIdentity SourceFile::identity() const {
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0) cannotRead(path_, errno);
  return {
      static_cast<std::uint64_t>(info.st_size),
      std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
}

void SourceFile::expect(const FileIdentity& planned) const {
  const FileIdentity now = identity();
  if (now == planned) return;
  std::string sentence = "file '" + path_ + "' has changed since planning: ";
  if (now.size != planned.size) {
    sentence += std::to_string(planned.size) + " bytes then, " + std::to_string(now.size) + " now";
  } else {
    sentence += "it was written to (modification time " + std::to_string(planned.mtime_ns) + " ns then, " +
                std::to_string(now.mtime_ns) + " now)";
  }
  refuse(sentence);
}

std::string_view SourceFile::read(std::string& buffer, std::uint64_t offset, std::size_t size) const {
  buffer.resize(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = ::pread(descriptor_, buffer.data() + done, size - done, static_cast<off_t>(offset + done));
    if (count == 0) break;
    if (count < 0) {
      if (errno == EINTR) continue;
      cannotRead(path_, errno);  // a disk or a mount of this node: others may read it
    }
    done += static_cast<std::size_t>(count);
  }
  return std::string_view(buffer).substr(0, done);
}

void SourceFile::refuseCompressed() const {
  std::string buffer;
  const std::string_view head = read(buffer, 0, 10);
  if (const auto name = compression(head); !name.empty()) {
    refuse("file '" + path_ + "' is compressed (" + std::string(name) + "); unpack it first");
  }
  const std::string_view two = head.substr(0, 2);
  if (two == "\xff\xfe" || two == "\xfe\xff") refuse("file '" + path_ + "' is in UTF-16; convert it to UTF-8 first");
}

}  // namespace disttask::csv_import
