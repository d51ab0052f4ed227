#include "disttask/plugin_common/names.hpp"

namespace disttask::plugin_common {

std::string quoted(const std::string& name) {
  std::string text = "`";
  for (const char c : name) text.append(c == '`' ? 2 : 1, c);
  return text + "`";
}

std::string quoted(const std::string& schema, const std::string& table) {
  return quoted(schema) + "." + quoted(table);
}

std::string quotedTable(const std::string& table) {
  const std::size_t dot = table.find('.');
  if (dot == std::string::npos) return quoted(table);
  return quoted(table.substr(0, dot), table.substr(dot + 1));
}

std::string killSession(std::int64_t connection_id) {
  return "kill " + std::to_string(connection_id);
}

}  // namespace disttask::plugin_common
