#include "disttask/settings/json_schema.hpp"
#include "disttask/settings/units.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <set>

using namespace disttask;
using namespace disttask::settings;
using namespace disttask::settings::test;

namespace {

/// Writes `value` under a path of the table, as one line of flow YAML, names filled in.
std::string yamlAt(std::string_view path, const std::string& value) {
  std::string open;
  std::string close;
  for (;;) {
    const auto dot = path.find('.');
    const auto part = path.substr(0, dot);
    open += (open.empty() ? "" : "{") + std::string(part == "*" ? "demo" : part) + ": ";
    if (dot == std::string_view::npos) return open + value + close;
    close += "}";
    path.remove_prefix(dot + 1);
  }
}

std::string named(std::string_view path) {
  std::string name(path);
  if (const auto at = name.find('*'); at != std::string::npos) name.replace(at, 1, "demo");
  return name;
}

bool hasProblemAt(const std::vector<std::string>& problems, const std::string& path, const std::string& text) {
  return std::any_of(problems.begin(), problems.end(), [&](const std::string& problem) {
    return problem.find(": " + path + ": ") != std::string::npos && problem.find(text) != std::string::npos;
  });
}

/// What the page on configuration says of the values of a key.
std::string allowedText(const Key& key) {
  const auto quoted = [](const std::string& text) { return "`" + text + "`"; };
  const auto length = [&](std::int64_t value) { return quoted(formatDuration(std::chrono::milliseconds(value))); };
  switch (key.kind) {
    case KeyKind::kInt:
      return std::to_string(key.min) + " to " + std::to_string(key.max);
    case KeyKind::kDuration:
      return length(key.min) + " to " + length(key.max);
    case KeyKind::kSize:
      return quoted(formatSize(key.min)) + " to " + quoted(formatSize(key.max));
    case KeyKind::kBool:
      return "`true`, `false`";
    case KeyKind::kTexts:
      return "list of texts";
    case KeyKind::kTextOrNone:
      return "text, `''` = none";
    case KeyKind::kAny:
      return "any";
    case KeyKind::kText:
      return "text";
    case KeyKind::kWord:
      break;
  }
  std::string words;
  for (const auto word : key.words) {
    if (!word.empty()) words += (words.empty() ? "" : ", ") + quoted(std::string(word));
  }
  return words;
}

}  // namespace

TEST_CASE("Each key of the table is read: a value of the wrong kind is a problem at its path") {
  std::set<std::string_view> paths;
  for (const auto& key : keyTable()) {
    INFO(key.path);
    CHECK(paths.insert(key.path).second);
    CHECK_FALSE(key.sentence.empty());
    if (key.kind == KeyKind::kAny) continue;
    const auto problems = problemsOf(yamlAt(key.path, "{wrong: kind}") + "\n");
    CHECK(hasProblemAt(problems, named(key.path), "value is a map, expected " + expectedText(key)));
  }
}

TEST_CASE("Ranges of the table are those of the parser, at both ends") {
  const auto text = [](const Key& key, std::int64_t value) {
    if (key.kind == KeyKind::kDuration) return formatDuration(std::chrono::milliseconds(value));
    return key.kind == KeyKind::kSize ? formatSize(value) : std::to_string(value);
  };
  for (const auto& key : keyTable()) {
    if (key.max == 0) continue;
    INFO(key.path);
    for (const auto value : {key.min, key.max}) {
      CHECK_FALSE(
          hasProblemAt(problemsOf(yamlAt(key.path, text(key, value))), named(key.path), "expected " + expectedText(key))
      );
    }
    std::vector<std::int64_t> wrong{key.max + 1};
    if (key.min > 0) wrong.push_back(key.min - 1);
    for (const auto value : wrong) {
      CHECK(
          hasProblemAt(problemsOf(yamlAt(key.path, text(key, value))), named(key.path), "expected " + expectedText(key))
      );
    }
  }
}

TEST_CASE("Defaults of the table are what a file without the key gives, and those of the structs") {
  const auto parsed = parse(kStore + "connections: {demo: {socket: /d, user: u, types: [t], schemas: [s]}}\n").value();
  auto built = parsed;
  built.node = {};
  built.node.id = parsed.node.id;
  built.node.slots = parsed.node.slots;
  built.node.memory_bytes = parsed.node.memory_bytes;
  built.store = {};
  built.store.endpoints = parsed.store.endpoints;
  built.polling = {};
  built.scheduler = {};
  built.connections.at("demo").max_connections = ConnectionSettings().max_connections;
  built.log = {};
  built.http = {};
  CHECK(dumpSettings(built) == dumpSettings(parsed));
  std::size_t seen = 0;
  for (const auto& value : valuesOf(parsed)) {
    if (value.key->default_text.empty()) continue;
    INFO(value.name());
    const auto shown = value.value.isString() ? value.value.asString() : value.value.dump();
    CHECK(shown == value.key->default_text);
    ++seen;
  }
  const auto table = keyTable();
  CHECK(seen == static_cast<std::size_t>(std::count_if(table.begin(), table.end(), [](const Key& key) {
          return !key.default_text.empty();
        })));
}

TEST_CASE("The schema for editors has each key with its range, and no other") {
  const auto schema = settingsJsonSchema();
  for (const auto& key : keyTable()) {
    INFO(key.path);
    const Json* at = &schema;
    std::string_view rest = key.path;
    while (at != nullptr && !rest.empty()) {
      const auto dot = rest.find('.');
      const auto part = rest.substr(0, dot);
      const auto* members = part == "*" ? nullptr : at->find("properties");
      at = part == "*" ? at->find("additionalProperties") : members == nullptr ? nullptr : members->find(part);
      rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
    }
    REQUIRE(at != nullptr);
    CHECK_THAT(at->find("description")->asString(), Catch::StartsWith(std::string(key.sentence)));
    if (key.kind == KeyKind::kInt) {
      CHECK(at->find("minimum")->asInt() == key.min);
      CHECK(at->find("maximum")->asInt() == key.max);
    }
  }
  CHECK(schema.find("additionalProperties")->asBool() == false);
  CHECK(schema.find("properties")->find("node")->find("additionalProperties")->asBool() == false);
}

TEST_CASE("The schema in config/ is the one of the table") {
  std::ifstream file(SCHEMA_FILE);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  INFO("write it anew: disttaskctl config schema > config/disttask.schema.json");
  CHECK(text == settingsJsonSchema().dump(2) + "\n");
  for (const auto* example : {"/disttask.yaml", "/disttask.minimal.yaml"}) {
    std::ifstream lines(std::string(EXAMPLES) + example);
    std::string first;
    std::getline(lines, first);
    CHECK(first == "# yaml-language-server: $schema=/usr/share/disttask/disttask.schema.json");
  }
}

TEST_CASE("The page on configuration has each key with default, range and whether it is live, and no other key") {
  std::ifstream file(CONFIGURATION_PAGE);
  std::set<std::string> rows;  // the cells before the meaning, after the name of the section
  std::string section;
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("## ", 0) == 0) section = line.substr(3);
    if (line.rfind("| `", 0) != 0) continue;
    std::size_t end = 0;
    for (int i = 0; i < 4; ++i) end = line.find(" | ", end + 1);
    rows.insert(section + " " + line.substr(0, end));
  }
  for (const auto& key : keyTable()) {
    const auto dot = key.path.find('.');
    const std::string of(key.path.substr(0, dot));
    std::string name(key.path.substr(dot + 1));
    if (of == "connections") name = name.substr(2);
    if (const auto star = name.find('*'); star != std::string::npos) name.replace(star, 1, "TYPE");
    std::string standard = "–";
    if (!key.default_text.empty()) standard = "`" + std::string(key.default_text) + "`";
    if (!key.default_from.empty()) standard = key.default_from;
    const auto row =
        of + " | `" + name + "` | " + standard + " | " + allowedText(key) + " | " + (key.is_live ? "yes" : "no");
    INFO(row);
    CHECK(rows.erase(row) == 1);
  }
  for (const auto& row : rows) FAIL_CHECK("not in the table: " << row);
}
