#pragma once
#include "disttask/base/json.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace disttask::settings {

struct YamlMember;

/// A YAML value as plain data, with the line where it stands.
struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  int line = 1;
  std::string scalar;
  bool plain = false;  ///< written without quotes: may mean a number or a boolean
  std::vector<YamlNode> items;
  std::vector<YamlMember> members;
};

struct YamlMember {
  std::string key;
  int line = 1;
  YamlNode value;
};

/// One thing that is wrong with a file.
struct Problem {
  int line = 1;
  std::string path;  ///< such as node.slots; empty = the file as a whole
  std::string text;
};
using Problems = std::vector<Problem>;

/// Parses one YAML document. Problems: syntax, more than one document, keys that are no text or stand twice, anchors
/// that refer to themselves, more than 1 MiB, nesting beyond 32, more than 20,000 values once aliases are written out.
[[nodiscard]] YamlNode parseYaml(std::string_view text, Problems& problems);

/// Turns it into JSON; plain scalars by YAML's core schema (null, true, 12, 0x1f, 1.5), quoted ones are strings.
[[nodiscard]] Json toJson(const YamlNode& node);

}  // namespace disttask::settings
