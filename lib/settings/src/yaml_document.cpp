#include "disttask/settings/yaml_json.hpp"
#include "yaml_tree.hpp"

#include <string>

namespace disttask::settings {

Expected<Json> yamlToJson(std::string_view text) {
  Problems problems;
  const auto tree = parseYaml(text, problems);
  if (problems.empty()) return toJson(tree);
  std::string message;
  for (const auto& problem : problems) {
    message += (message.empty() ? "line " : "; line ") + std::to_string(problem.place.line) + ": " + problem.text;
  }
  return Error(ErrorCode::kInvalidArgument, message);
}

}  // namespace disttask::settings
