#include "plugin_path.hpp"

#include "disttask/base/sandbox.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <system_error>

namespace disttask::plugin {
namespace {

constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;

std::string reasonOf(const std::string& path, int error_number) {
  return std::generic_category().message(error_number) + sandboxHint(path);
}

std::string octal(mode_t mode) {
  std::string text = "0000";
  for (std::size_t i = 0; i < 4; ++i) text[3 - i] = static_cast<char>('0' + ((mode >> (3 * i)) & 7U));
  return text;
}

std::string ownersText(const std::set<uid_t>& owners) {
  std::string text = "root";
  for (const uid_t owner : owners) {
    if (owner != 0) text += " or uid " + std::to_string(owner);
  }
  return text;
}

/// Returns what is wrong with the owner or the mode, or nothing.
std::optional<std::string> checkTrust(
    const std::string& path, const struct stat& status, const std::set<uid_t>& owners
) {
  const std::string kind = S_ISDIR(status.st_mode) ? "folder " : "file ";
  if (status.st_uid != 0 && owners.count(status.st_uid) == 0) {
    return kind + path + " belongs to uid " + std::to_string(status.st_uid) + ", " + ownersText(owners) + " is needed";
  }
  const bool is_sticky_folder = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
  if ((status.st_mode & kWritableByOthers) != 0 && !is_sticky_folder) {
    return kind + path + " has mode " + octal(status.st_mode & 07777) +
           ", one that group and others cannot write to is needed (chmod go-w)";
  }
  return std::nullopt;
}

}  // namespace

Expected<PluginFile> checkPluginPath(const std::string& path, const std::set<uid_t>& owners) {
  const auto refuse = [](std::string sentence) { return Error(ErrorCode::kInvalidConfig, std::move(sentence)); };
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  if (!real) return refuse("plugin " + path + " cannot be found: " + reasonOf(path, errno));
  PluginFile file;
  file.path = real.get();
  struct stat status {};
  if (::stat(file.path.c_str(), &status) != 0)
    return refuse("plugin " + path + " cannot be read: " + reasonOf(path, errno));
  if (!S_ISREG(status.st_mode)) return refuse("plugin " + path + " is no regular file; a shared object is needed");
  if (auto bad = checkTrust(file.path, status, owners)) return refuse("plugin " + path + " is refused: " + *bad);
  file.device = status.st_dev;
  file.inode = status.st_ino;
  for (std::string folder = file.path; folder != "/";) {
    folder = folder.substr(0, folder.rfind('/'));
    if (folder.empty()) folder = "/";
    if (::stat(folder.c_str(), &status) != 0)
      return refuse("folder " + folder + " cannot be read: " + reasonOf(folder, errno));
    if (auto bad = checkTrust(folder, status, owners)) return refuse("plugin " + path + " is refused: " + *bad);
  }
  return file;
}

}  // namespace disttask::plugin
