#include "meta_option.hpp"

#include "disttask/base/error.hpp"
#include "disttask/base/json.hpp"
#include "disttask/settings/yaml_json.hpp"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

namespace disttask::ctl {
namespace {

constexpr std::size_t kMaxMetaBytes = 16 << 20;

std::string textOf(const std::string& meta) {
  if (meta.empty() || meta.front() != '@') return meta;
  const auto path = meta.substr(1);
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> opened(nullptr, &std::fclose);
  std::FILE* file = stdin;
  if (path != "-") {
    opened.reset(std::fopen(path.c_str(), "re"));
    if (!opened)
      throw Exception(ErrorCode::kNotFound, "--meta: " + path + ": " + std::generic_category().message(errno));
    file = opened.get();
  }
  std::string text(kMaxMetaBytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  if (std::ferror(file) != 0)
    throw Exception(ErrorCode::kNotFound, "--meta: " + path + ": " + std::generic_category().message(errno));
  if (text.size() > kMaxMetaBytes)
    throw Exception(ErrorCode::kInvalidArgument, "--meta: " + path + " is larger than 16 MiB");
  return text;
}

}  // namespace

std::string readMeta(const std::string& meta) {
  auto text = textOf(meta);
  std::string mistake;
  try {
    // What is stored is JSON as given.
    (void)Json::parse(text);
    return text;
  } catch (const Exception& wrong) {
    mistake = wrong.what();
  }
  const auto yaml = settings::yamlToJson(text);
  // A lone word is a forgotten @ rather than a document.
  if (yaml && (yaml.value().isObject() || yaml.value().isArray())) return yaml.value().dump();
  const auto begin = text.find_first_not_of(" \t\r\n");
  const bool is_json = yaml || begin == std::string::npos || text[begin] == '{' || text[begin] == '[';
  throw Exception(
      ErrorCode::kInvalidArgument,
      is_json ? "--meta is no JSON: " + mistake + " (a file is given as @FILE)"
              : "--meta is neither JSON nor YAML: " + yaml.error().message()
  );
}

}  // namespace disttask::ctl
