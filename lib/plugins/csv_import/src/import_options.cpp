#include "import_options.hpp"

#include "disttask/base/error.hpp"
#include "disttask/base/json.hpp"
#include "json_fields.hpp"

#include <array>
#include <set>

namespace disttask::csv_import {
namespace {

char asCharacter(const Json& value, const std::string& where) {
  const std::string text = textAt(value, where);
  const bool fits = text.size() == 1 && text[0] > 0 && text[0] != '\n' && text[0] != '\r';
  if (!fits) fail(where + ": expected one ASCII character that is no line break");
  return text[0];
}

template <typename E, std::size_t N>
E choice(const Json& value, const std::string& where, const std::array<std::pair<std::string_view, E>, N>& choices) {
  const std::string text = textAt(value, where);
  std::string known;
  for (const auto& [name, result] : choices) {
    if (text == name) return result;
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  fail(where + ": expected one of " + known + ", found '" + text + "'");
}

std::vector<std::string> columnNames(const Json& value, const std::string& where) {
  if (!value.isArray()) fail(where + ": expected an array of names, found " + std::string(value.kindName()));
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (const Json& item : value.asArray()) {
    names.push_back(nonEmptyTextAt(item, where + "[" + std::to_string(names.size()) + "]"));
    if (!seen.insert(names.back()).second) fail(where + ": '" + names.back() + "' is named twice");
  }
  if (names.empty()) fail(where + ": expected at least one name");
  return names;
}

void readTarget(const Json& value, ImportOptions& options) {
  if (!value.isObject()) {
    fail("target: expected an object with schema and table, found " + std::string(value.kindName()));
  }
  for (const auto& [key, item] : value.asObject()) {
    if (key == "schema") {
      options.schema = nonEmptyTextAt(item, "target.schema");
    } else if (key == "table") {
      options.table = nonEmptyTextAt(item, "target.table");
    } else {
      fail("target." + key + ": no such key; expected schema, table");
    }
  }
  if (options.schema.empty()) fail("target.schema: missing");
  if (options.table.empty()) fail("target.table: missing");
}

void readKey(const std::string& key, const Json& value, ImportOptions& options) {
  using std::pair;
  if (key == "file") {
    options.file = nonEmptyTextAt(value, key);
    if (options.file[0] != '/') fail("file: expected an absolute path, found '" + options.file + "'");
  } else if (key == "connection") {
    options.connection = nonEmptyTextAt(value, key);
  } else if (key == "target") {
    readTarget(value, options);
  } else if (key == "columns") {
    options.columns = columnNames(value, key);
  } else if (key == "header") {
    if (!value.isBool()) fail("header: expected true or false, found " + std::string(value.kindName()));
    options.header = value.asBool();
  } else if (key == "skip_lines") {
    options.skip_lines = intAt(value, key, 0, 1'000'000'000);
  } else if (key == "delimiter") {
    options.delimiter = asCharacter(value, key);
  } else if (key == "quote") {
    options.quote = asCharacter(value, key);
  } else if (key == "charset") {
    options.charset = choice<Charset, 4>(
        value,
        key,
        {{{"utf8", Charset::kUtf8},
          {"utf-8", Charset::kUtf8},
          {"utf8mb4", Charset::kUtf8},
          {"binary", Charset::kBinary}}}
    );
  } else if (key == "null") {
    if (value.isNull()) {
      options.null_text.reset();
    } else {
      options.null_text = textAt(value, key);
    }
  } else if (key == "into") {
    options.into = choice<Into, 2>(value, key, {{{"empty", Into::kEmpty}, {"append", Into::kAppend}}});
  } else if (key == "on_duplicate") {
    options.on_duplicate = choice<OnDuplicate, 3>(
        value,
        key,
        {{{"error", OnDuplicate::kError}, {"ignore", OnDuplicate::kIgnore}, {"replace", OnDuplicate::kReplace}}}
    );
  } else if (key == "max_bad_records") {
    options.max_bad_records = intAt(value, key, 0, 1'000'000'000);
  } else if (key == "chunk_bytes") {
    options.chunk_bytes = intAt(value, key, kMinChunkBytes, kMaxChunkBytes);
  } else if (key == "resume_of") {
    options.resume_of = intAt(value, key, 1, INT64_MAX);
  } else {
    fail(
        key +
        ": no such key; expected file, connection, target, columns, header, skip_lines, delimiter, quote, charset, "
        "null, into, on_duplicate, max_bad_records, chunk_bytes, resume_of"
    );
  }
}

}  // namespace

std::string_view toString(Into into) noexcept {
  return into == Into::kEmpty ? "empty" : "append";
}

std::string_view toString(OnDuplicate mode) noexcept {
  switch (mode) {
    case OnDuplicate::kError:
      return "error";
    case OnDuplicate::kIgnore:
      return "ignore";
    case OnDuplicate::kReplace:
      return "replace";
  }
  return "error";
}

ImportOptions parseOptions(std::string_view meta) {
  const Json json = parseObject(meta, "task meta");
  ImportOptions options;
  for (const auto& [key, value] : json.asObject()) readKey(key, value, options);

  if (options.file.empty()) fail("file: missing");
  if (options.connection.empty()) fail("connection: missing");
  if (options.table.empty()) fail("target: missing");
  if (options.delimiter == options.quote) fail("quote: must differ from delimiter");
  if (!options.header && options.columns.empty()) fail("columns: needed when header is false");
  if (options.into == Into::kEmpty && options.on_duplicate != OnDuplicate::kError) {
    fail("on_duplicate: '" + std::string(toString(options.on_duplicate)) + "' needs into 'append'");
  }
  if (options.null_text && options.null_text->find_first_of("\r\n") != std::string::npos) {
    fail("null: may not hold a line break");
  }
  if (options.null_text && options.null_text->find(options.delimiter) != std::string::npos) {
    fail("null: may not hold the delimiter");
  }
  if (options.null_text && options.null_text->find(options.quote) != std::string::npos) {
    fail("null: may not hold the quote");
  }
  return options;
}

std::string identityOf(const ImportOptions& options) {
  Json json;
  json["file"] = options.file;
  json["schema"] = options.schema;
  json["table"] = options.table;
  Json::Array columns(options.columns.begin(), options.columns.end());
  json["columns"] = Json(std::move(columns));
  json["header"] = options.header;
  json["skip_lines"] = options.skip_lines;
  json["delimiter"] = std::string(1, options.delimiter);
  json["quote"] = std::string(1, options.quote);
  json["charset"] = options.charset == Charset::kUtf8 ? "utf8" : "binary";
  json["null"] = options.null_text ? Json(*options.null_text) : Json();
  json["into"] = toString(options.into);
  json["on_duplicate"] = toString(options.on_duplicate);
  json["chunk_bytes"] = options.chunk_bytes;
  return json.dump();
}

}  // namespace disttask::csv_import
