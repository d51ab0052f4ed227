#include "section.hpp"

#include "disttask/base/utf8.hpp"
#include "disttask/settings/nearest_name.hpp"
#include "disttask/settings/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace disttask::settings {

std::string describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kScalar:
      return "value '" + toValidUtf8(node.scalar, 80) + "'";
    case YamlNode::Kind::kList:
      return "value is a list";
    case YamlNode::Kind::kMap:
      return "value is a map";
    case YamlNode::Kind::kNull:
      break;
  }
  return "no value";
}

Section::Section(const YamlNode* node, std::string path, Problems& problems)
    : node_(node), path_(std::move(path)), problems_(problems) {
  if (node_ == nullptr) return;
  if (node_->kind != YamlNode::Kind::kMap && node_->kind != YamlNode::Kind::kNull) {
    problems_.push_back({node_->line, path_, describe(*node_) + ", expected keys with values"});
    all_known_ = true;
  }
}

Section::~Section() {
  if (node_ == nullptr || all_known_) return;
  for (const auto& member : node_->members) {
    if (std::find(known_.begin(), known_.end(), member.key) != known_.end()) continue;
    std::string text = "unknown key";
    const auto nearest = nearestName(member.key, known_);
    if (member.key.find("passw") != std::string::npos && nearest != "password_file" &&
        nearest != "password_credential") {
      text += "; a password stands in a file of its own: password_file";
    } else if (!nearest.empty()) {
      text += ", did you mean '" + nearest + "'?";
    } else {
      text += fmt::format("; known here: {}", fmt::join(known_, ", "));
    }
    problems_.push_back({member.line, pathOf(toValidUtf8(member.key, 80)), text});
  }
}

const std::vector<YamlMember>& Section::all() {
  static const std::vector<YamlMember> kNone;
  all_known_ = true;
  return node_ == nullptr ? kNone : node_->members;
}

const YamlMember* Section::find(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  if (node_ == nullptr) return nullptr;
  for (const auto& member : node_->members) {
    if (member.key == key) return member.value.kind == YamlNode::Kind::kNull ? nullptr : &member;
  }
  return nullptr;
}

const YamlMember* Section::findScalar(std::string_view key, std::string_view expected) {
  const auto* member = find(key);
  if (member == nullptr) return nullptr;
  if (member->value.kind == YamlNode::Kind::kScalar) return member;
  wrong(*member, expected);
  return nullptr;
}

void Section::wrong(const YamlMember& member, std::string_view expected) {
  problems_.push_back(
      {member.value.line, pathOf(member.key), fmt::format("{}, expected {}", describe(member.value), expected)}
  );
}

void Section::problem(std::string_view key, std::string text) {
  int at = line();
  if (node_ != nullptr) {
    for (const auto& member : node_->members) {
      if (member.key == key) at = member.line;
    }
  }
  problems_.push_back({at, key.empty() ? path_ : pathOf(key), std::move(text)});
}

void Section::readText(std::string_view key, std::string& out) {
  const auto* member = findScalar(key, "a text");
  if (member == nullptr) return;
  if (member->value.scalar.empty()) return wrong(*member, "a text that is not empty");
  if (findInvalidUtf8(member->value.scalar) != std::string_view::npos) return wrong(*member, "valid UTF-8");
  out = member->value.scalar;
}

void Section::readTextOrNone(std::string_view key, std::string& out) {
  const auto* member = findScalar(key, "a text, or '' for none");
  if (member == nullptr) return;
  if (member->value.scalar.empty()) {
    out.clear();
  } else {
    readText(key, out);
  }
}

void Section::readBool(std::string_view key, bool& out) {
  const auto* member = findScalar(key, "true or false");
  if (member == nullptr) return;
  if (member->value.plain && member->value.scalar == "true") {
    out = true;
  } else if (member->value.plain && member->value.scalar == "false") {
    out = false;
  } else {
    wrong(*member, "true or false");
  }
}

void Section::readInt(std::string_view key, std::int32_t min, std::int32_t max, std::int32_t& out) {
  const auto expected = fmt::format("a whole number from {} to {}", min, max);
  const auto* member = findScalar(key, expected);
  if (member == nullptr) return;
  const auto& text = member->value.scalar;
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (!member->value.plain || failure != std::errc{} || end != text.data() + text.size() || number < min ||
      number > max) {
    return wrong(*member, expected);
  }
  out = static_cast<std::int32_t>(number);
}

void Section::readDuration(
    std::string_view key, std::chrono::milliseconds min, std::chrono::milliseconds max, std::chrono::milliseconds& out
) {
  const auto expected = fmt::format("a length of time from {} to {}", formatDuration(min), formatDuration(max));
  const auto* member = findScalar(key, expected);
  if (member == nullptr) return;
  const auto value = parseDuration(member->value.scalar);
  if (!value) {
    problems_.push_back({member->value.line, pathOf(key), describe(member->value) + ", " + value.error().message()});
  } else if (value.value() < min || value.value() > max) {
    wrong(*member, expected);
  } else {
    out = value.value();
  }
}

void Section::readSize(std::string_view key, std::int64_t min, std::int64_t max, std::int64_t& out) {
  const auto expected = fmt::format("a size from {} to {}", formatSize(min), formatSize(max));
  const auto* member = findScalar(key, expected);
  if (member == nullptr) return;
  const auto value = parseSize(member->value.scalar);
  if (!value) {
    problems_.push_back({member->value.line, pathOf(key), describe(member->value) + ", " + value.error().message()});
  } else if (value.value() < min || value.value() > max) {
    wrong(*member, expected);
  } else {
    out = value.value();
  }
}

void Section::readTexts(std::string_view key, std::vector<std::string>& out) {
  const auto* member = find(key);
  if (member == nullptr) return;
  std::vector<std::string> texts;
  if (member->value.kind == YamlNode::Kind::kScalar) {
    texts.push_back(member->value.scalar);
  } else if (member->value.kind == YamlNode::Kind::kList) {
    for (const auto& item : member->value.items) {
      if (item.kind != YamlNode::Kind::kScalar || item.scalar.empty()) {
        problems_.push_back({item.line, pathOf(key), describe(item) + " in the list, expected a text"});
        return;
      }
      texts.push_back(item.scalar);
    }
  } else {
    return wrong(*member, "a list of texts");
  }
  out = std::move(texts);
}

}  // namespace disttask::settings
