#include "section.hpp"

#include "disttask/base/error.hpp"
#include "disttask/base/utf8.hpp"
#include "disttask/settings/nearest_name.hpp"
#include "disttask/settings/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace disttask::settings {
namespace {

std::string joined(std::string_view path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

std::optional<std::int64_t> wholeNumber(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Expected<std::int64_t> parseLength(std::string_view text) {
  const auto value = parseDuration(text);
  if (!value) return value.error();
  return value.value().count();
}

}  // namespace

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

Section::Section(const YamlNode* node, std::string path, std::string pattern, Problems& problems)
    : node_(node),
      path_(std::move(path)),
      pattern_(std::move(pattern)),
      problems_(problems),
      known_(namesBelow(pattern_)) {
  if (node_ == nullptr || node_->kind == YamlNode::Kind::kMap || node_->kind == YamlNode::Kind::kNull) return;
  problems_.push_back({node_->place, path_, describe(*node_) + ", expected keys with values"});
}

Section::Section(const YamlNode& root, Problems& problems, std::string_view only) : Section(&root, "", "", problems) {
  if (!only.empty()) known_ = {std::string(only)};
}

Section::Section(Section& parent, std::string_view key)
    : Section(
          parent.find(key) == nullptr ? nullptr : &parent.find(key)->value,
          parent.pathOf(key),
          joined(parent.pattern_, key),
          parent.problems_
      ) {}

Section::Section(Section& parent, const YamlMember& named)
    : Section(&named.value, parent.pathOf(named.key), joined(parent.pattern_, "*"), parent.problems_) {}

Section::~Section() {
  if (node_ == nullptr || known_ == std::vector<std::string>{"*"}) return;
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
    problemAt(member.place, toValidUtf8(member.key, 80), text);
  }
}

std::string Section::pathOf(std::string_view key) const {
  return joined(path_, key);
}

const std::vector<YamlMember>& Section::all() const {
  static const std::vector<YamlMember> kNone;
  return node_ == nullptr ? kNone : node_->members;
}

const YamlMember* Section::find(std::string_view key) const {
  if (node_ == nullptr) return nullptr;
  for (const auto& member : node_->members) {
    if (member.key == key) return member.value.kind == YamlNode::Kind::kNull ? nullptr : &member;
  }
  return nullptr;
}

const Key& Section::keyOf(std::string_view name) const {
  const auto* key = findKey(joined(pattern_, name));
  if (key == nullptr) throw Exception(ErrorCode::kInternal, "no key " + joined(pattern_, name) + " in the table");
  return *key;
}

const YamlMember* Section::findScalar(const Key& key, std::string_view name) {
  const auto* member = find(name);
  if (member == nullptr || member->value.kind == YamlNode::Kind::kScalar) return member;
  wrong(*member, expectedText(key));
  return nullptr;
}

void Section::wrong(const YamlMember& member, std::string_view expected) {
  problemAt(member.value.place, member.key, fmt::format("{}, expected {}", describe(member.value), expected));
}

void Section::problem(std::string_view key, std::string text) {
  auto at = node_ == nullptr ? Place{} : node_->place;
  for (const auto& member : all()) {
    if (member.key == key) at = member.place;
  }
  problemAt(at, key, std::move(text));
}

void Section::problemAt(const Place& place, std::string_view key, std::string text) {
  problems_.push_back({place, key.empty() ? path_ : pathOf(key), std::move(text)});
}

void Section::read(std::string_view name, std::string& out) {
  const auto& key = keyOf(name);
  if (!key.default_text.empty()) out = key.default_text;
  const auto* member = findScalar(key, name);
  if (member == nullptr) return;
  const auto& text = member->value.scalar;
  if (text.empty() && key.kind != KeyKind::kTextOrNone) return wrong(*member, "a text that is not empty");
  if (findInvalidUtf8(text) != std::string_view::npos) return wrong(*member, "valid UTF-8");
  out = text;
}

void Section::read(std::string_view name, bool& out) {
  const auto& key = keyOf(name);
  if (!key.default_text.empty()) out = key.default_text == "true";
  const auto* member = findScalar(key, name);
  if (member == nullptr) return;
  const auto& text = member->value.scalar;
  if (!member->value.plain || (text != "true" && text != "false")) return wrong(*member, expectedText(key));
  out = text == "true";
}

void Section::read(std::string_view name, std::int32_t& out) {
  const auto& key = keyOf(name);
  if (!key.default_text.empty()) out = static_cast<std::int32_t>(wholeNumber(key.default_text).value());
  const auto* member = findScalar(key, name);
  if (member == nullptr) return;
  const auto number = wholeNumber(member->value.scalar);
  if (!member->value.plain || !number || *number < key.min || *number > key.max) {
    return wrong(*member, expectedText(key));
  }
  out = static_cast<std::int32_t>(*number);
}

void Section::read(std::string_view name, std::int64_t& out) {
  const auto& key = keyOf(name);
  const bool is_size = key.kind == KeyKind::kSize;
  const auto parse = [is_size](std::string_view text) { return is_size ? parseSize(text) : parseLength(text); };
  if (!key.default_text.empty()) out = parse(key.default_text).value();
  const auto* member = findScalar(key, name);
  if (member == nullptr) return;
  const auto value = parse(member->value.scalar);
  if (!value) {
    problemAt(member->value.place, name, describe(member->value) + ", " + value.error().message());
  } else if (value.value() < key.min || value.value() > key.max) {
    wrong(*member, expectedText(key));
  } else {
    out = value.value();
  }
}

void Section::read(std::string_view name, std::chrono::milliseconds& out) {
  auto value = static_cast<std::int64_t>(out.count());
  read(name, value);
  out = std::chrono::milliseconds(value);
}

void Section::read(std::string_view name, std::vector<std::string>& out) {
  const auto& key = keyOf(name);
  const auto* member = find(name);
  if (member == nullptr) return;
  std::vector<std::string> texts;
  if (member->value.kind == YamlNode::Kind::kScalar) {
    texts.push_back(member->value.scalar);
  } else if (member->value.kind == YamlNode::Kind::kList) {
    for (const auto& item : member->value.items) {
      if (item.kind != YamlNode::Kind::kScalar || item.scalar.empty()) {
        return problemAt(item.place, name, describe(item) + " in the list, expected a text");
      }
      texts.push_back(item.scalar);
    }
  } else {
    return wrong(*member, expectedText(key));
  }
  out = std::move(texts);
}

int Section::wordIndex(std::string_view name) {
  const auto& key = keyOf(name);
  const auto indexOf = [&key](std::string_view word) {
    const auto* at = std::find(key.words.begin(), key.words.end(), word);
    return word.empty() || at == key.words.end() ? -1 : static_cast<int>(at - key.words.begin());
  };
  const auto* member = findScalar(key, name);
  if (member == nullptr) return indexOf(key.default_text);
  const int index = indexOf(member->value.scalar);
  if (index < 0) wrong(*member, expectedText(key));
  return index;
}

}  // namespace disttask::settings
