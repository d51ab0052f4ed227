#include "disttask/settings/json_schema.hpp"

#include "disttask/settings/key_table.hpp"

#include <fmt/format.h>

#include <string>

namespace disttask::settings {
namespace {

Json withUnit(std::string_view units) {
  Json text;
  text["type"] = "string";
  text["pattern"] = fmt::format(R"(^[0-9]+(\.[0-9]+)? *({})$)", units);
  // Nothing needs no unit.
  Json zero;
  zero["const"] = 0;
  Json either;
  either["anyOf"] = Json::Array{text, zero};
  return either;
}

Json textOf(bool may_be_empty) {
  Json text;
  text["type"] = "string";
  if (!may_be_empty) text["minLength"] = 1;
  return text;
}

Json schemaOf(const Key& key) {
  Json schema;
  switch (key.kind) {
    case KeyKind::kText:
    case KeyKind::kTextOrNone:
      schema = textOf(key.kind == KeyKind::kTextOrNone);
      break;
    case KeyKind::kBool:
      schema["type"] = "boolean";
      break;
    case KeyKind::kInt:
      schema["type"] = "integer";
      schema["minimum"] = key.min;
      schema["maximum"] = key.max;
      break;
    case KeyKind::kDuration:
      schema = withUnit("ms|s|m|h|d");
      break;
    case KeyKind::kSize:
      schema = withUnit("B|KiB|MiB|GiB|TiB");
      break;
    case KeyKind::kTexts: {
      Json list;
      list["type"] = "array";
      list["items"] = textOf(false);
      schema["anyOf"] = Json::Array{list, textOf(false)};
      break;
    }
    case KeyKind::kWord: {
      Json::Array words;
      for (const auto word : key.words) {
        if (!word.empty()) words.emplace_back(word);
      }
      schema["enum"] = std::move(words);
      break;
    }
    case KeyKind::kAny:
      break;
  }
  auto description = std::string(key.sentence);
  if (key.kind == KeyKind::kDuration || key.kind == KeyKind::kSize) description += "; " + expectedText(key);
  if (!key.default_from.empty()) description += fmt::format("; default: {}", key.default_from);
  schema["description"] = description + (key.is_live ? ". A reload applies it." : ". A change needs a restart.");
  if (!key.default_text.empty()) {
    Json value{key.default_text};
    if (key.kind == KeyKind::kInt || key.kind == KeyKind::kBool) value = Json::parse(key.default_text);
    schema["default"] = value;
  }
  return schema;
}

/// A section may stand there without a value.
Json mapSchema(const std::string& pattern) {
  Json schema;
  schema["type"] = Json::Array{"object", "null"};
  Json properties;
  for (const auto& name : namesBelow(pattern)) {
    const auto path = pattern.empty() ? name : pattern + "." + name;
    const auto* key = findKey(path);
    const auto below = key != nullptr ? schemaOf(*key) : mapSchema(path);
    if (name == "*") {
      schema["additionalProperties"] = below;
      return schema;
    }
    properties[name] = below;
  }
  schema["properties"] = properties;
  schema["additionalProperties"] = false;
  return schema;
}

}  // namespace

Json settingsJsonSchema() {
  auto schema = mapSchema("");
  schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  schema["title"] = "Settings of disttaskd";
  return schema;
}

}  // namespace disttask::settings
