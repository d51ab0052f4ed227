#include "commands.hpp"
#include "disttask/base/error.hpp"

#include "../../exit_codes.hpp"
#include "../args/trial.hpp"
#include "../output/listing.hpp"
#include "../trial/project_files.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace disttask::ctl {
namespace {

namespace fs = std::filesystem;

void checkName(const std::string& name) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_fit = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '_'; };
  if (!name.empty() && name.size() <= 64 && is_letter(name.front()) && std::all_of(name.begin(), name.end(), is_fit))
    return;
  throw Exception(
      ErrorCode::kInvalidArgument,
      "NAME: '" + name + "', expected 1 to 64 lower-case letters, digits and '_', a letter first"
  );
}

}  // namespace

int execute(Context& context, const PluginNew& options) {
  checkName(options.name);
  const fs::path folder = options.dir.empty() ? fs::path(options.name) : fs::path(options.dir);
  std::error_code failure;
  if (fs::exists(folder, failure) && (!fs::is_directory(folder, failure) || !fs::is_empty(folder, failure))) {
    throw Exception(ErrorCode::kAlreadyExists, folder.string() + " exists and is not empty");
  }
  Json::Array list;
  for (const auto& file : projectFiles(options.name)) {
    const auto path = folder / file.path;
    fs::create_directories(path.parent_path(), failure);
    std::ofstream out(path);
    out << file.text;
    if (!out.flush()) throw Exception(ErrorCode::kInternal, path.string() + " cannot be written");
    list.emplace_back(path.string());
  }
  context.err() << "written. Build and test it: cmake -S " << folder.string() << " -B " << (folder / "build").string()
                << " && cmake --build " << (folder / "build").string() << " && ctest --test-dir "
                << (folder / "build").string() << '\n';
  printChange(context, folder.string(), Json::Object{{"folder", folder.string()}, {"files", std::move(list)}});
  return app::kExitClean;
}

}  // namespace disttask::ctl
