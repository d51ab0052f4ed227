#pragma once
#include "disttask/settings/loader.hpp"
#include "disttask/settings/values.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace disttask::settings::test {

inline HostFacts facts() {
  HostFacts facts;
  facts.host_name = "db-7.example";
  facts.cpu_count = 6;
  facts.memory_bytes = 1 << 30;
  facts.plugin_dir = "/usr/lib/disttask/plugins";
  return facts;
}

/// The least that a file must say.
inline const std::string kStore = "store: {socket: /run/db.sock}\n";

inline Expected<Settings> parse(const std::string& yaml) {
  return parseSettings(yaml, "d.yaml", facts());
}

/// Returns the problems, one a line; none when the text is right.
inline std::vector<std::string> problemsOf(const std::string& yaml) {
  const auto parsed = parse(yaml);
  std::vector<std::string> lines;
  if (parsed) return lines;
  std::string line;
  for (const char c : parsed.error().message() + "\n") {
    if (c != '\n') {
      line.push_back(c);
    } else {
      lines.push_back(line);
      line.clear();
    }
  }
  return lines;
}

/// A file in a folder of its own, removed with it.
class ScratchFile {
 public:
  explicit ScratchFile(const std::string& text, mode_t mode = 0600) {
    std::string pattern = (std::filesystem::temp_directory_path() / "disttask-settings-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = pattern;
    std::ofstream(path()) << text;
    ::chmod(path().c_str(), mode);
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile() { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string path() const { return (folder_ / "file").string(); }
  [[nodiscard]] std::string folder() const { return folder_.string(); }

 private:
  std::filesystem::path folder_;
};

}  // namespace disttask::settings::test
