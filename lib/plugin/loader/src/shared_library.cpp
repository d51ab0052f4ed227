#include "shared_library.hpp"

#include "elf_check.hpp"

#include <dlfcn.h>

namespace disttask::plugin {

Expected<PluginEntry> openPlugin(const std::string& path) {
  if (const auto bad = checkElfFile(path)) {
    return Error(ErrorCode::kInvalidConfig, "plugin " + path + " cannot be loaded: " + *bad);
  }
  void* const handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* const text = ::dlerror();
    return Error(
        ErrorCode::kInvalidConfig,
        "plugin " + path + " cannot be loaded: " + (text != nullptr ? text : "no reason is given")
    );
  }
  const auto entry = reinterpret_cast<disttask_plugin_entry>(::dlsym(handle, "disttask_plugin_entry_v0"));
  if (entry == nullptr) {
    return Error(
        ErrorCode::kInvalidConfig,
        "plugin " + path +
            " is refused: it does not export disttask_plugin_entry_v0, so it is no disttask plugin of ABI 0"
    );
  }
  return PluginEntry{entry};
}

}  // namespace disttask::plugin
