#include "disttask/plugin/plugin_loader.hpp"

#include "abi_check.hpp"
#include "abi_status.hpp"
#include "abi_task_type.hpp"
#include "disttask/base/printable.hpp"
#include "disttask/base/sandbox.hpp"
#include "host_call.hpp"
#include "host_services.hpp"
#include "plugin_path.hpp"
#include "shared_library.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace disttask::plugin {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kMaxTypes = 1000;  // a count above it is garbage, not a plugin

// A plugin's own words may be of any length and bytes.
constexpr std::size_t kMaxRefusalBytes = 2000;

Error refusal(const std::string& origin, const std::string& sentence) {
  return {ErrorCode::kPluginFailed, "plugin " + origin + " is refused: " + toPrintable(sentence, kMaxRefusalBytes)};
}

/// Runs the plugin's own init.
void initPlugin(const disttask_plugin& plugin, const HostServices& services) {
  if (plugin.init == nullptr) return;
  HostCall call(services, CallNames{std::string(fromAbi(plugin.name)), 0, 0}, {});
  OutputSink error(kMaxErrorTextBytes);
  throwUnlessOk(plugin.init(call.abi(), error.abi()), error, call, "init");
}

/// Returns the plugin's types, checked and not yet configured; throws the sentence.
std::vector<std::shared_ptr<AbiTaskType>> collectTypes(
    const disttask_plugin& plugin, const std::string& origin, const std::shared_ptr<const HostServices>& services
) {
  const std::uint32_t count = plugin.task_type_count();
  if (count == 0 || count > kMaxTypes) {
    throw Exception(
        ErrorCode::kPluginFailed,
        "task_type_count is " + std::to_string(count) + ", 1 to " + std::to_string(kMaxTypes) + " is needed"
    );
  }
  std::vector<std::shared_ptr<AbiTaskType>> types;
  std::set<std::string> names;
  for (std::uint32_t index = 0; index < count; ++index) {
    const disttask_task_type* type = plugin.task_type_at(index);
    if (const auto bad = checkTaskType(type)) throw Exception(ErrorCode::kPluginFailed, *bad);
    types.push_back(std::make_shared<AbiTaskType>(type, origin, services));
    if (!names.insert(types.back()->name()).second) {
      throw Exception(ErrorCode::kPluginFailed, "it offers task type '" + types.back()->name() + "' twice");
    }
  }
  return types;
}

}  // namespace

PluginLoader::PluginLoader(
    PluginLoaderSettings settings, TaskTypes& types, ConnectionSource& connections, runtime::Clock& clock
)
    : settings_(std::move(settings)), types_(types), services_(std::make_shared<HostServices>(connections, clock)) {}

PluginLoader::~PluginLoader() = default;

Expected<std::vector<std::string>> findPlugins(const std::string& dir, const std::vector<std::string>& list) {
  std::vector<std::string> files;
  for (const std::string& item : list) {
    const bool is_path = item.find('/') != std::string::npos;
    files.push_back(is_path ? item : dir + "/" + item + (item.ends_with(".so") ? "" : ".so"));
  }
  if (!files.empty()) return files;
  std::error_code failure;
  fs::directory_iterator at(dir, failure);
  for (; !failure && at != fs::directory_iterator(); at.increment(failure)) {
    if (at->path().extension() == ".so") files.push_back(at->path().string());
  }
  if (failure)
    return Error(
        ErrorCode::kInvalidConfig, "plugin folder " + dir + " cannot be read: " + failure.message() + sandboxHint(dir)
    );
  std::sort(files.begin(), files.end());
  return files;
}

void PluginLoader::tell(const std::string& step) const {
  if (settings_.on_step) settings_.on_step(step);
}

std::vector<Error> PluginLoader::loadAll() {
  const auto files = findPlugins(settings_.dir, settings_.list);
  if (!files) return {files.error()};
  std::vector<Error> errors;
  for (const std::string& file : files.value()) {
    if (auto loaded = load(file); !loaded) errors.push_back(loaded.error());
  }
  return errors;
}

NewPlugins PluginLoader::loadNew(std::vector<std::string> list, std::map<std::string, std::string> config) {
  settings_.list = std::move(list);
  settings_.config = std::move(config);
  NewPlugins to;
  const auto files = findPlugins(settings_.dir, settings_.list);
  if (!files) {
    to.refused.push_back(files.error());
    return to;
  }
  for (const std::string& file : files.value()) {
    const auto tried = std::find_if(files_.begin(), files_.end(), [&](const auto& one) { return one.second == file; });
    struct stat status {};
    const bool is_there = ::stat(file.c_str(), &status) == 0;
    const FileId id{status.st_dev, status.st_ino};
    if (is_there && refused_.contains(id))
      to.need_restart.push_back("plugin " + file + " was refused before, and is tried again after a restart only");
    if (is_there && files_.count(id) > 0) continue;  // also under another name
    if (tried != files_.end()) {
      if (is_there) to.need_restart.push_back("plugin " + file + " was replaced since it was loaded");
      continue;
    }
    if (auto loaded = load(file)) {
      to.loaded.push_back(std::move(loaded.value()));
    } else {
      to.refused.push_back(loaded.error());
    }
  }
  return to;
}

Expected<LoadedPlugin> PluginLoader::load(const std::string& path) {
  std::set<uid_t> owners{::geteuid()};
  if (settings_.owner) owners.insert(*settings_.owner);
  const auto file = checkPluginPath(path, owners);
  if (!file) return file.error();
  const auto& [real_path, device, inode] = file.value();
  const auto [at, is_new] = files_.try_emplace({device, inode}, path);
  if (!is_new) return refusal(path, "it is the same file as " + at->second + ", which was loaded before");
  refused_.insert({device, inode});
  tell("loading it");
  const auto entry = openPlugin(real_path);
  if (!entry) return entry.error();
  tell("calling disttask_plugin_entry_v0");
  auto loaded = adopt(entry.value().call(), real_path);
  if (loaded) refused_.erase({device, inode});
  return loaded;
}

Expected<LoadedPlugin> PluginLoader::adopt(const disttask_plugin* plugin, const std::string& origin) {
  if (const auto bad = checkDescriptor(plugin)) return refusal(origin, *bad);
  LoadedPlugin loaded{
      origin,
      std::string(fromAbi(plugin->name)),
      std::string(fromAbi(plugin->version)),
      std::string(fromAbi(plugin->build)),
      {}};
  std::string doing = "its init failed: ";
  try {
    tell("calling init");
    initPlugin(*plugin, *services_);
    doing.clear();
    tell("listing its task types");
    const auto types = collectTypes(*plugin, origin, services_);
    for (const auto& type : types) {
      const auto config = settings_.config.find(type->name());
      doing = "task type '" + type->name() + "' refuses its configuration (plugins.config." + type->name() + "): ";
      tell("configuring task type '" + type->name() + "'");
      type->configure(config == settings_.config.end() ? "{}" : config->second);
      loaded.types.push_back(type->name());
    }
    doing.clear();
    types_.addAll({types.begin(), types.end()});
  } catch (const Exception& e) {
    return refusal(origin, doing + e.error().message());
  }
  plugins_.push_back(loaded);
  return loaded;
}

}  // namespace disttask::plugin
