#include "sandbox.hpp"

#include <fstream>
#include <sstream>
#include <string>

namespace disttask::csv_import {
namespace {

bool isAtOrBelow(std::string_view path, std::string_view directory) {
  return path.substr(0, directory.size()) == directory &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

bool isHome(std::string_view directory) {
  return directory == "/home" || directory == "/root" || directory == "/run/user";
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// One line: ID PARENT DEVICE ROOT MOUNT_POINT OPTIONS … - TYPE SOURCE SUPER_OPTIONS.
std::string settingOf(const std::string& line, std::string_view path) {
  std::istringstream words(line);
  std::string id, parent, device, root, mount_point, options;
  if (!(words >> id >> parent >> device >> root >> mount_point >> options)) return "";
  if (!isAtOrBelow(path, mount_point)) return "";
  // An empty folder without rights stands in for what is hidden.
  const bool is_inaccessible = contains(root, "/systemd/inaccessible/");
  const bool is_empty_home = contains(line, " - tmpfs ") && options.substr(0, options.find(',')) == "ro";
  if (isHome(mount_point)) return is_inaccessible || is_empty_home ? "ProtectHome=" : "";
  if (is_inaccessible) return "InaccessiblePaths=";
  return contains(root, "/systemd-private-") ? "PrivateTmp=" : "";
}

}  // namespace

std::string sandboxOver(std::string_view path, std::string_view mountinfo) {
  std::istringstream lines{std::string(mountinfo)};
  std::string found;
  // A later mount covers an earlier one at or above the same place.
  for (std::string line; std::getline(lines, line);) {
    auto setting = settingOf(line, path);
    if (!setting.empty()) found = std::move(setting);
  }
  return found;
}

std::string sandboxHint(std::string_view path) {
  std::ifstream file("/proc/self/mountinfo");
  std::ostringstream text;
  text << file.rdbuf();
  const auto setting = sandboxOver(path, text.str());
  if (setting.empty()) return "";
  return "; the daemon's systemd unit hides it by " + setting + ", a drop-in can show it (docs/operations.md)";
}

}  // namespace disttask::csv_import
