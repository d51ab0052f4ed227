#include "disttask/settings/password.hpp"

#include "disttask/base/error.hpp"
#include "secret_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace disttask::settings {
namespace {

constexpr std::size_t kMaxPasswordBytes = 4096;

}  // namespace

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
  if (file < 0) throw Exception(ErrorCode::kInvalidConfig, "password file " + path + ": " + whyUnreadable(path, errno));
  std::string problem;
  std::string text(kMaxPasswordBytes + 1, '\0');
  struct stat status {};
  if (::fstat(file, &status) != 0) {
    problem = std::generic_category().message(errno);
  } else {
    problem = checkSecretMode(status);
  }
  if (problem.empty()) {
    const auto count = ::read(file, text.data(), text.size());
    if (count < 0) {
      problem = std::generic_category().message(errno);
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
