#include "disttask/settings/password.hpp"

#include "disttask/base/error.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace disttask::settings {
namespace {

constexpr std::size_t kMaxPasswordBytes = 4096;

std::string systemText(int number) {
  return std::generic_category().message(number);
}

std::string checkMode(const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return "is no regular file";
  if ((status.st_mode & S_IROTH) != 0) return "may be read by everybody; take that right away with: chmod o-rwx";
  if ((status.st_mode & S_IWOTH) != 0) return "may be written by everybody; take that right away with: chmod o-rwx";
  return "";
}

}  // namespace

std::string checkPasswordFile(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return systemText(errno);
  return checkMode(status);
}

std::string readPassword(const PasswordSource& source, const std::string& credentials_directory) {
  if (!source.value.empty()) return source.value;
  std::string path = source.file;
  if (!source.credential.empty()) {
    if (credentials_directory.empty()) {
      throw Exception(
          ErrorCode::kInvalidConfig,
          "no systemd credentials for this process, so there is no credential '" + source.credential + "'"
      );
    }
    path = credentials_directory + "/" + source.credential;
  }
  if (path.empty()) return "";
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) throw Exception(ErrorCode::kInvalidConfig, "password file " + path + ": " + systemText(errno));
  std::string problem;
  std::string text(kMaxPasswordBytes + 1, '\0');
  struct stat status {};
  if (::fstat(file, &status) != 0) {
    problem = systemText(errno);
  } else {
    problem = checkMode(status);
  }
  if (problem.empty()) {
    const auto count = ::read(file, text.data(), text.size());
    if (count < 0) {
      problem = systemText(errno);
    } else if (static_cast<std::size_t>(count) > kMaxPasswordBytes) {
      problem = "is longer than 4096 bytes";
    } else {
      text.resize(static_cast<std::size_t>(count));
    }
  }
  ::close(file);
  if (!problem.empty()) throw Exception(ErrorCode::kInvalidConfig, "password file " + path + " " + problem);
  if (!text.empty() && text.back() == '\n') text.pop_back();
  if (!text.empty() && text.back() == '\r') text.pop_back();
  return text;
}

}  // namespace disttask::settings
