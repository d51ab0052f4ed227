#include "disttask/plugin_common/json_fields.hpp"

#include "disttask/base/error.hpp"
#include "disttask/base/printable.hpp"

namespace disttask::plugin_common {

void fail(const std::string& sentence) {
  // It may quote what somebody else has written.
  constexpr std::size_t kMaxBytes = 2000;
  throw Exception(ErrorCode::kInvalidArgument, toPrintable(sentence, kMaxBytes));
}

Json parseObject(std::string_view text, const std::string& what) {
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Exception& exception) {
    fail(what + " is not JSON: " + exception.error().message());
  }
  if (!json.isObject()) fail(what + ": expected a JSON object, found " + std::string(json.kindName()));
  return json;
}

std::string textAt(const Json& value, const std::string& where) {
  if (!value.isString()) fail(where + ": expected a string, found " + std::string(value.kindName()));
  return value.asString();
}

std::string nonEmptyTextAt(const Json& value, const std::string& where) {
  std::string text = textAt(value, where);
  if (text.empty()) fail(where + ": may not be empty");
  if (text.find('\0') != std::string::npos) fail(where + ": may not hold a NUL character");
  return text;
}

std::int64_t intAt(const Json& value, const std::string& where, std::int64_t least, std::int64_t most) {
  if (!value.isInt()) fail(where + ": expected a whole number, found " + std::string(value.kindName()));
  const std::int64_t number = value.asInt();
  if (number < least || number > most) {
    fail(
        where + ": expected " + std::to_string(least) + " to " + std::to_string(most) + ", found " +
        std::to_string(number)
    );
  }
  return number;
}

std::string directoryAt(const Json& value, const std::string& where) {
  std::string path = nonEmptyTextAt(value, where);
  if (path[0] != '/') fail(where + ": expected an absolute path, found '" + path + "'");
  return path;
}

std::vector<std::string> directoriesAt(const Json& value, const std::string& where) {
  if (!value.isArray()) fail(where + ": expected a list of directories, found " + std::string(value.kindName()));
  std::vector<std::string> paths;
  for (const Json& item : value.asArray()) {
    paths.push_back(directoryAt(item, where + "[" + std::to_string(paths.size()) + "]"));
  }
  return paths;
}

const Json& memberAt(const Json& object, std::string_view key, const std::string& what) {
  const Json* found = object.find(key);
  if (found == nullptr) fail(what + ": '" + std::string(key) + "' is missing");
  return *found;
}

}  // namespace disttask::plugin_common
