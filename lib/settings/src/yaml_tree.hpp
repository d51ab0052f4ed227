#pragma once
#include "disttask/base/json.hpp"

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace disttask::settings {

struct YamlMember;

/// Where something stands. Lines and columns begin at 1; line 0 = the file as a whole.
struct Place {
  int line = 1;
  int column = 1;
  int file = 0;  ///< which of the files that were read
  friend auto operator<=>(const Place& a, const Place& b) {
    return std::tie(a.file, a.line, a.column) <=> std::tie(b.file, b.line, b.column);
  }
  friend bool operator==(const Place&, const Place&) = default;
};

/// A YAML value as plain data, with the place where it stands.
struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  Place place;
  std::string scalar;
  bool plain = false;  ///< written without quotes: may mean a number or a boolean
  std::vector<YamlNode> items;
  std::vector<YamlMember> members;
};

struct YamlMember {
  std::string key;
  Place place;
  YamlNode value;
};

/// One thing that is wrong with a file.
struct Problem {
  Place place;
  std::string path;  ///< such as node.slots; empty = the file as a whole
  std::string text;
};
using Problems = std::vector<Problem>;

/// Parses one YAML document. Problems: syntax, more than one document, keys that are no text or stand twice, anchors
/// that refer to themselves, more than 1 MiB, nesting beyond 32, more than 20,000 values once aliases are written out.
/// `file` is part of each place.
[[nodiscard]] YamlNode parseYaml(std::string_view text, Problems& problems, int file = 0);

/// Lays a later document over an earlier one: maps are merged deeply, all else is replaced. A key without a value takes
/// back what stood there, but no map.
void mergeYaml(YamlNode& base, YamlNode later);

/// Turns it into JSON; plain scalars by YAML's core schema (null, true, 12, 0x1f, 1.5), quoted ones are strings.
[[nodiscard]] Json toJson(const YamlNode& node);

}  // namespace disttask::settings
