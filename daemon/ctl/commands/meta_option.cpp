#include "meta_option.hpp"

#include "disttask/base/error.hpp"
#include "disttask/base/json.hpp"

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
  try {
    // Parsed only to refuse it here, with the place: what is stored is the text as given.
    (void)Json::parse(text);
  } catch (const Exception& wrong) {
    throw Exception(ErrorCode::kInvalidArgument, std::string("--meta is no JSON: ") + wrong.what());
  }
  return text;
}

}  // namespace disttask::ctl
