#include "disttask/plugin/plugin_check.hpp"

#include "commands.hpp"

#include "../../exit_codes.hpp"
#include "../args/plugin.hpp"
#include "../output/listing.hpp"

#include <filesystem>
#include <system_error>

namespace disttask::ctl {

int execute(Context& context, const PluginCheck& options) {
  std::error_code failure;
  if (!std::filesystem::exists(options.file, failure))
    throw Exception(ErrorCode::kNotFound, options.file + ": there is no such file");
  // A name alone would be looked up in the folder of plugins; here it is a file.
  const auto check = plugin::checkPlugin(std::filesystem::absolute(options.file).string());
  Json::Array types;
  for (const auto& type : check.types) types.push_back(Json::Object{{"type", type.name}, {"version", type.version}});
  const Json json = Json::Object{
      {"file", options.file},
      {"path", check.path},
      {"accepted", check.problem.empty()},
      {"problem", check.problem},
      {"name", check.name},
      {"version", check.version},
      {"build", check.build},
      {"types", std::move(types)},
  };
  printOne(context, check.name, json, [&] {
    if (!check.problem.empty()) return;
    Facts facts;
    facts.add("plugin", check.name + " " + check.version);
    facts.add("file", check.path);
    facts.add("build", check.build);
    for (const auto& type : check.types) facts.add("type", type.name + " " + type.version);
    facts.print(context.out(), context.terminal());
  });
  if (!check.problem.empty() && context.output() == Output::kTable)
    throw Exception(ErrorCode::kPrecondition, "refused: " + check.problem);
  return check.problem.empty() ? app::kExitClean : app::kCtlRefused;
}

}  // namespace disttask::ctl
