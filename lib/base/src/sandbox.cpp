#include "disttask/base/sandbox.hpp"

#include <fstream>
#include <sstream>
#include <string>

namespace disttask {
namespace {

bool isAtOrBelow(std::string_view path, std::string_view directory) {
  if (directory == "/") return !path.empty() && path.front() == '/';
  return path.substr(0, directory.size()) == directory &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

bool isHome(std::string_view directory) {
  return directory == "/home" || directory == "/root" || directory == "/run/user";
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool isReadOnly(std::string_view options) {
  return options.substr(0, options.find(',')) == "ro";
}

/// One line: ID PARENT DEVICE ROOT MOUNT_POINT OPTIONS … - TYPE SOURCE SUPER_OPTIONS.
struct Mount {
  std::string root;
  std::string point;
  std::string options;
  std::string type;
  std::string super_options;
};

Mount readMount(const std::string& line) {
  std::istringstream words(line);
  std::string id, parent, device, optional, source;
  Mount mount;
  if (!(words >> id >> parent >> device >> mount.root >> mount.point >> mount.options)) return {};
  while (words >> optional && optional != "-") continue;
  words >> mount.type >> source >> mount.super_options;
  return mount;
}

/// Returns the mount that one comes to by the path: a later one covers an earlier one at or above the same place.
Mount mountOf(std::string_view path, std::string_view mountinfo) {
  std::istringstream lines{std::string(mountinfo)};
  Mount found;
  for (std::string line; std::getline(lines, line);) {
    auto mount = readMount(line);
    if (!mount.point.empty() && isAtOrBelow(path, mount.point)) found = std::move(mount);
  }
  return found;
}

std::string mountsOfThisProcess() {
  std::ifstream file("/proc/self/mountinfo");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string hiddenHint(std::string_view path, std::string_view mountinfo) {
  const auto setting = sandboxOver(path, mountinfo);
  if (setting.empty()) return "";
  return "; the daemon's systemd unit hides it by " + setting + ", a drop-in can show it (docs/operations.md)";
}

}  // namespace

std::string sandboxOver(std::string_view path, std::string_view mountinfo) {
  const auto mount = mountOf(path, mountinfo);
  // An empty folder without rights stands in for what is hidden.
  const bool is_inaccessible = contains(mount.root, "/systemd/inaccessible/");
  const bool is_empty_home = mount.type == "tmpfs" && isReadOnly(mount.options);
  if (isHome(mount.point)) return is_inaccessible || is_empty_home ? "ProtectHome=" : "";
  if (is_inaccessible) return "InaccessiblePaths=";
  return contains(mount.root, "/systemd-private-") ? "PrivateTmp=" : "";
}

std::string writeProtectionOver(std::string_view path, std::string_view mountinfo) {
  const auto mount = mountOf(path, mountinfo);
  // Where the file system itself takes no writes, such as after an error of its disk, no unit is the reason.
  if (!isReadOnly(mount.options) || isReadOnly(mount.super_options)) return "";
  return isHome(mount.point) ? "ProtectHome=" : "ProtectSystem=";
}

std::string sandboxHint(std::string_view path) {
  return hiddenHint(path, mountsOfThisProcess());
}

std::string sandboxWriteHint(std::string_view path) {
  const auto mountinfo = mountsOfThisProcess();
  auto hint = hiddenHint(path, mountinfo);
  if (!hint.empty()) return hint;
  const auto setting = writeProtectionOver(path, mountinfo);
  if (setting.empty()) return "";
  return "; it is read-only for this process, as by " + setting +
         " of the daemon's systemd unit, a drop-in with ReadWritePaths= opens it (docs/operations.md)";
}

}  // namespace disttask
