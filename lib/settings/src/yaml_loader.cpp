// The only source that sees yaml-cpp.
#include "yaml_tree.hpp"

#include <yaml-cpp/yaml.h>

#include <sstream>
#include <unordered_set>

namespace disttask::settings {
namespace {

constexpr std::size_t kMaxBytes = 1 << 20;
constexpr int kMaxDepth = 32;
constexpr int kMaxNodes = 20'000;

/// Stops a conversion whose size is out of bounds.
struct TooBig {
  int line;
  const char* why;
};

int lineOf(const YAML::Node& node, int parent_line) {
  return node.Mark().is_null() ? parent_line : node.Mark().line + 1;
}

class Converter {
 public:
  explicit Converter(Problems& problems) : problems_(problems) {}

  YamlNode convert(const YAML::Node& from, int parent_line, int depth) {
    YamlNode to;
    to.line = lineOf(from, parent_line);
    if (depth > kMaxDepth) throw TooBig{to.line, "nested deeper than 32 levels, or an alias that refers to itself"};
    if (++num_nodes_ > kMaxNodes) throw TooBig{to.line, "more than 20,000 values once aliases are written out"};
    switch (from.Type()) {
      case YAML::NodeType::Scalar:
        to.kind = YamlNode::Kind::kScalar;
        to.scalar = from.Scalar();
        to.plain = from.Tag() == "?" || from.Tag().empty();
        break;
      case YAML::NodeType::Sequence:
        to.kind = YamlNode::Kind::kList;
        for (const auto& item : from) to.items.push_back(convert(item, to.line, depth + 1));
        break;
      case YAML::NodeType::Map:
        to.kind = YamlNode::Kind::kMap;
        convertMembers(from, to, depth);
        break;
      default:
        break;
    }
    return to;
  }

 private:
  void convertMembers(const YAML::Node& from, YamlNode& to, int depth) {
    std::unordered_set<std::string> seen;
    for (const auto& member : from) {
      const int line = lineOf(member.first, to.line);
      if (!member.first.IsScalar()) {
        problems_.push_back({line, "", "a key is no text"});
        continue;
      }
      const auto& key = member.first.Scalar();
      if (!seen.insert(key).second) {
        problems_.push_back({line, "", "the key '" + key + "' stands twice"});
        continue;
      }
      auto value = convert(member.second, line, depth + 1);
      // A block begins on the line after its key; people look for the key.
      if (value.kind != YamlNode::Kind::kScalar) value.line = line;
      to.members.push_back({key, line, std::move(value)});
    }
  }

  Problems& problems_;
  int num_nodes_ = 0;
};

}  // namespace

YamlNode parseYaml(std::string_view text, Problems& problems) {
  YamlNode empty;
  empty.kind = YamlNode::Kind::kMap;
  if (text.size() > kMaxBytes) {
    problems.push_back({1, "", "the file is larger than 1 MiB"});
    return empty;
  }
  try {
    const auto documents = YAML::LoadAll(std::string(text));
    if (documents.empty() || (documents.size() == 1 && documents.front().IsNull())) return empty;
    if (documents.size() > 1) {
      problems.push_back({lineOf(documents[1], 1), "", "holds more than one YAML document"});
      return empty;
    }
    return Converter(problems).convert(documents.front(), 1, 0);
  } catch (const YAML::Exception& failure) {
    problems.push_back({failure.mark.is_null() ? 1 : failure.mark.line + 1, "", "no valid YAML: " + failure.msg});
  } catch (const TooBig& failure) {
    problems.push_back({failure.line, "", failure.why});
  }
  return empty;
}

}  // namespace disttask::settings
