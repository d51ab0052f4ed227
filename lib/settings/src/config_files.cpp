#include "config_files.hpp"

#include "section.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <system_error>

namespace disttask::settings {
namespace {

constexpr std::size_t kMaxBytes = 1 << 20;
constexpr std::size_t kMaxFiles = 64;

std::string systemText(int number) {
  return std::generic_category().message(number);
}

/// Settings name plugins and files of passwords: who writes them decides what this process does.
constexpr const char* kWorldWritable = "may be written by everybody; take that right away with: chmod o-w";

class Reader {
 public:
  Reader(ConfigFiles& files, Problems& problems) : files_(files), problems_(problems) {}

  /// Reads one more file into the tree.
  void take(const std::string& name, bool only_regular) {
    const int index = add(name);
    if (const auto text = readText(name, index, only_regular)) parse(*text, index);
  }
  void takeText(std::string_view text, const std::string& name) { parse(text, add(name)); }

  /// Notes what is wrong with a file, or folder, as a whole.
  void refuse(int index, const std::string& text) {
    problems_.push_back({{0, 0, index}, "", text});
    files_.complete = false;
  }
  int add(const std::string& name) {
    files_.names.push_back(name);
    return static_cast<int>(files_.names.size()) - 1;
  }

 private:
  std::optional<std::string> readText(const std::string& name, int index, bool only_regular) {
    // Without waiting for a writer of a pipe that merely lies in the folder.
    const int file = ::open(name.c_str(), O_RDONLY | O_CLOEXEC | (only_regular ? O_NONBLOCK : 0));
    if (file < 0) {
      refuse(index, systemText(errno));
      return std::nullopt;
    }
    std::string problem;
    struct stat status {};
    if (::fstat(file, &status) != 0) {
      problem = systemText(errno);
    } else if (only_regular && !S_ISREG(status.st_mode)) {
      problem = "is no regular file";
    } else if (S_ISREG(status.st_mode) && (status.st_mode & S_IWOTH) != 0) {
      problem = kWorldWritable;
    }
    // One byte more than a file may have is enough to refuse it.
    std::string text(kMaxBytes + 1, '\0');
    std::size_t count = 0;
    while (problem.empty() && count < text.size()) {
      const auto got = ::read(file, text.data() + count, text.size() - count);
      if (got == 0) break;
      if (got > 0) {
        count += static_cast<std::size_t>(got);
      } else if (errno != EINTR) {
        problem = systemText(errno);
      }
    }
    ::close(file);
    if (!problem.empty()) {
      refuse(index, problem);
      return std::nullopt;
    }
    text.resize(count);
    return text;
  }

  void parse(std::string_view text, int index) {
    const auto before = problems_.size();
    auto tree = parseYaml(text, problems_, index);
    if (problems_.size() > before && tree.members.empty()) files_.complete = false;
    if (tree.kind != YamlNode::Kind::kMap) {
      problems_.push_back({tree.place, "", describe(tree) + ", expected keys with values"});
      files_.complete = false;
    } else if (index == 0) {
      files_.tree = std::move(tree);
    } else {
      mergeYaml(files_.tree, std::move(tree));
    }
  }

  ConfigFiles& files_;
  Problems& problems_;
};

std::string folderBeside(const std::string& path) {
  const auto slash = path.rfind('/');
  return (slash == std::string::npos ? "" : path.substr(0, slash + 1)) + "conf.d";
}

bool endsWith(const std::string& text, std::string_view end) {
  return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

void takeFolder(const std::string& folder, Reader& reader) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), &::closedir);
  if (!open) {
    if (errno != ENOENT && errno != ENOTDIR) reader.refuse(reader.add(folder), systemText(errno));
    return;
  }
  struct stat status {};
  if (::fstat(::dirfd(open.get()), &status) == 0 && (status.st_mode & S_IWOTH) != 0) {
    return reader.refuse(reader.add(folder), kWorldWritable);
  }
  std::vector<std::string> names;
  while (const auto* entry = ::readdir(open.get())) {
    const std::string name(static_cast<const char*>(entry->d_name));
    if (name.front() != '.' && (endsWith(name, ".yaml") || endsWith(name, ".yml"))) names.push_back(name);
    if (names.size() > kMaxFiles) return reader.refuse(reader.add(folder), "holds more than 64 files");
  }
  std::sort(names.begin(), names.end());
  for (const auto& name : names) {
    const auto path = folder + "/" + name;
    if (endsWith(name, ".yaml")) {
      reader.take(path, true);
    } else {
      reader.refuse(reader.add(path), "is not read, expected a name that ends in .yaml");
    }
  }
}

}  // namespace

ConfigFiles readConfigFiles(const std::string& path, bool with_folder, Problems& problems) {
  ConfigFiles files;
  Reader reader(files, problems);
  reader.take(path, false);
  if (with_folder) takeFolder(folderBeside(path), reader);
  return files;
}

ConfigFiles readConfigText(std::string_view text, const std::string& name, Problems& problems) {
  ConfigFiles files;
  Reader(files, problems).takeText(text, name);
  return files;
}

}  // namespace disttask::settings
