#include "disttask/executor/instance_lock.hpp"

#include "disttask/base/error.hpp"
#include "disttask/base/random.hpp"
#include "disttask/base/sandbox.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <system_error>
#include <utility>

namespace disttask::executor {

namespace {

std::string reasonOf(int number) {
  return std::generic_category().message(number);
}

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& why) {
  throw Exception(ErrorCode::kInvalidConfig, "state directory: " + path.string() + ": " + why);
}

std::string firstLineOf(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// A random UUID (version 4).
std::string makeUuid() {
  const auto high = (static_cast<std::uint64_t>(randomToken()) & ~0xf000ULL) | 0x4000ULL;
  const auto low = (static_cast<std::uint64_t>(randomToken()) & ~(3ULL << 62)) | (2ULL << 62);
  std::array<char, 37> text{};
  std::snprintf(
      text.data(),
      text.size(),
      "%08llx-%04llx-%04llx-%04llx-%012llx",
      static_cast<unsigned long long>(high >> 32),
      static_cast<unsigned long long>((high >> 16) & 0xffff),
      static_cast<unsigned long long>(high & 0xffff),
      static_cast<unsigned long long>(low >> 48),
      static_cast<unsigned long long>(low & 0xffffffffffffULL)
  );
  return text.data();
}

/// Reads the UUID, or makes one that is there after a crash as well: written aside, then renamed.
std::string readOrMakeUuid(const std::filesystem::path& path) {
  if (auto found = firstLineOf(path); !found.empty()) return found;
  auto uuid = makeUuid();
  auto aside = path;
  aside += ".new";
  const int file = ::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (file < 0) refuse(aside, "cannot be written: " + reasonOf(errno));
  const auto line = uuid + "\n";
  const bool written =
      ::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fsync(file) == 0;
  const int number = errno;
  ::close(file);
  if (!written) refuse(aside, "cannot be written: " + reasonOf(number));
  std::error_code error;
  std::filesystem::rename(aside, path, error);
  if (error) refuse(path, "cannot be written: " + error.message());
  return uuid;
}

}  // namespace

InstanceLock InstanceLock::acquire(const std::filesystem::path& state_dir, const std::filesystem::path& boot_id_file) {
  std::error_code error;
  std::filesystem::create_directories(state_dir, error);
  if (error) refuse(state_dir, "cannot be made: " + error.message() + sandboxWriteHint(state_dir.string()));

  const auto lock_path = state_dir / "lock";
  // Not close-on-exec: a child that outlives this process keeps the lock.
  InstanceLock lock(::open(lock_path.c_str(), O_RDWR | O_CREAT, 0640));  // NOLINT: see above
  if (lock.descriptor_ < 0) {
    const int reason = errno;  // the hint opens a file
    refuse(lock_path, "cannot be opened: " + reasonOf(reason) + sandboxWriteHint(lock_path.string()));
  }
  if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) refuse(lock_path, "cannot be locked: " + reasonOf(errno));
    const auto holder = firstLineOf(lock_path);
    throw Exception(
        ErrorCode::kAlreadyExists,
        "state directory " + state_dir.string() + " is in use by process " + (holder.empty() ? "(unknown)" : holder) +
            " or a child of it on this machine"
    );
  }
  const auto pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock.descriptor_, 0) != 0 ||
      ::pwrite(lock.descriptor_, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    refuse(lock_path, "cannot be written: " + reasonOf(errno));
  }
  struct ::stat info {};
  if (::fstat(lock.descriptor_, &info) != 0) refuse(lock_path, "cannot be looked at: " + reasonOf(errno));
  lock.lock_file_id_ = std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
  lock.instance_uuid_ = readOrMakeUuid(state_dir / "instance");
  lock.boot_id_ = firstLineOf(boot_id_file);
  if (lock.boot_id_.empty()) refuse(boot_id_file, "has no boot id");
  return lock;
}

InstanceLock::InstanceLock(InstanceLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      instance_uuid_(std::move(other.instance_uuid_)),
      boot_id_(std::move(other.boot_id_)),
      lock_file_id_(std::move(other.lock_file_id_)) {}

InstanceLock::~InstanceLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace disttask::executor
