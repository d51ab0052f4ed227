#include "secret_file.hpp"

#include "disttask/base/sandbox.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace disttask::settings {
namespace {

/// Returns the name of the account that this process works as.
std::string accountName() {
  const auto uid = ::geteuid();
  std::array<char, 4096> buffer{};
  struct ::passwd entry {};
  struct ::passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return "uid " + std::to_string(uid);
  return found->pw_name;
}

/// Opens a file without waiting for what is none, such as a pipe.
int openToRead(const std::string& path) {
  return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

}  // namespace

std::string whyUnreadable(const std::string& path, int error_number) {
  const auto words = std::generic_category().message(error_number);
  const auto hint = sandboxHint(path);
  if (!hint.empty() || error_number != EACCES) return words + hint;
  return words + " for the account '" + accountName() +
         "'; give it that right, such as by a group of its own: chgrp GROUP and chmod g+r";
}

std::string whyUnreadable(const std::string& path) {
  const int file = openToRead(path);
  if (file < 0) return whyUnreadable(path, errno);
  ::close(file);
  return "";
}

std::string checkSecretMode(const struct ::stat& status) {
  if (!S_ISREG(status.st_mode)) return "is no regular file";
  if ((status.st_mode & S_IROTH) != 0) return "may be read by everybody; take that right away with: chmod o-rwx";
  if ((status.st_mode & S_IWOTH) != 0) return "may be written by everybody; take that right away with: chmod o-rwx";
  return "";
}

std::string checkSecretFile(const std::string& path) {
  const int file = openToRead(path);
  if (file < 0) return whyUnreadable(path, errno);
  struct ::stat status {};
  auto wrong = ::fstat(file, &status) != 0 ? std::generic_category().message(errno) : checkSecretMode(status);
  ::close(file);
  return wrong;
}

}  // namespace disttask::settings
