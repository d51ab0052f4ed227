#include "yaml_tree.hpp"

#include <charconv>

namespace disttask::settings {
namespace {

template <typename T>
bool parseAll(std::string_view text, T& out, int base) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return failure == std::errc{} && end == text.data() + text.size();
}

Json plainScalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  std::string_view digits = text;
  if (digits.front() == '+') digits.remove_prefix(1);
  std::int64_t whole = 0;
  if (digits.size() > 2 && digits.substr(0, 2) == "0x" && parseAll(digits.substr(2), whole, 16)) return whole;
  if (digits.size() > 2 && digits.substr(0, 2) == "0o" && parseAll(digits.substr(2), whole, 8)) return whole;
  if (parseAll(digits, whole, 10)) return whole;
  if (digits.find_first_not_of("0123456789+-.eE") == std::string_view::npos) {
    double real = 0;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), real);
    if (failure == std::errc{} && end == digits.data() + digits.size()) return real;
  }
  return text;
}

}  // namespace

Json toJson(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kScalar:
      return node.plain ? plainScalar(node.scalar) : Json(node.scalar);
    case YamlNode::Kind::kList: {
      Json::Array items;
      for (const auto& item : node.items) items.push_back(toJson(item));
      return items;
    }
    case YamlNode::Kind::kMap: {
      Json::Object members;
      for (const auto& member : node.members) members.emplace(member.key, toJson(member.value));
      return members;
    }
    case YamlNode::Kind::kNull:
      break;
  }
  return nullptr;
}

}  // namespace disttask::settings
