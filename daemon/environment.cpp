#include "environment.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace disttask::app {

std::optional<std::string> environmentValue(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

std::optional<std::string> takeEnvironmentSecret(const char* name) {
  char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  std::string secret = value;
  // Where the kernel shows it (/proc/PID/environ), for this process and for those that are forked from it.
  std::fill_n(value, secret.size(), '\0');
  ::unsetenv(name);
  return secret;
}

std::string installedPluginDir() {
  std::error_code failure;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return DISTTASK_INSTALLED_PLUGIN_DIR;
  return (program.parent_path() / DISTTASK_PLUGIN_DIR_FROM_BIN).lexically_normal().string();
}

}  // namespace disttask::app
