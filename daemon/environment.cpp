#include "environment.hpp"

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace disttask::app {

std::optional<std::string> environmentValue(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

std::string installedPluginDir() {
  std::error_code failure;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return DISTTASK_INSTALLED_PLUGIN_DIR;
  return (program.parent_path() / DISTTASK_PLUGIN_DIR_FROM_BIN).lexically_normal().string();
}

}  // namespace disttask::app
