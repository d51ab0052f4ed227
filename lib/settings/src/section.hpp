#pragma once
#include "yaml_tree.hpp"

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace disttask::settings {

/// Reads the members of one YAML map into variables that hold the defaults, and notes what is wrong. A member that is
/// absent or wrong leaves its variable as it is. The destructor reports members that nobody asked for.
class Section {
 public:
  /// `node` may be null (nothing is set) or no map (that is a problem).
  Section(const YamlNode* node, std::string path, Problems& problems);
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;
  ~Section();

  /// Returns the member, or null when absent or when it has no value.
  const YamlMember* find(std::string_view key);
  [[nodiscard]] bool has(std::string_view key) { return find(key) != nullptr; }
  [[nodiscard]] std::string pathOf(std::string_view key) const {
    return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
  }
  [[nodiscard]] int line() const noexcept { return node_ == nullptr ? 1 : node_->line; }
  /// Returns all members, for maps whose keys are names; they count as known.
  const std::vector<YamlMember>& all();

  void readText(std::string_view key, std::string& out);
  /// A text that may be empty.
  void readTextOrNone(std::string_view key, std::string& out);
  void readBool(std::string_view key, bool& out);
  void readInt(std::string_view key, std::int32_t min, std::int32_t max, std::int32_t& out);
  void readDuration(
      std::string_view key, std::chrono::milliseconds min, std::chrono::milliseconds max, std::chrono::milliseconds& out
  );
  void readSize(std::string_view key, std::int64_t min, std::int64_t max, std::int64_t& out);
  /// A list of texts; one text alone counts as a list of one.
  void readTexts(std::string_view key, std::vector<std::string>& out);
  /// One of these words.
  template <typename Enum>
  void readWord(std::string_view key, std::span<const std::pair<std::string_view, Enum>> words, Enum& out) {
    std::string text;
    std::string expected;
    for (const auto& [word, value] : words) expected += (expected.empty() ? "" : " or ") + std::string(word);
    const auto* member = findScalar(key, expected);
    if (member == nullptr) return;
    for (const auto& [word, value] : words) {
      if (member->value.scalar == word) {
        out = value;
        return;
      }
    }
    wrong(*member, expected);
  }

  /// Notes a problem with a member: `value 'x', expected …`.
  void wrong(const YamlMember& member, std::string_view expected);
  /// Notes a problem with a key, or with the section when the key is empty, in own words.
  void problem(std::string_view key, std::string text);

 private:
  const YamlMember* findScalar(std::string_view key, std::string_view expected);

  const YamlNode* node_;
  const std::string path_;
  Problems& problems_;
  std::vector<std::string> known_;
  bool all_known_ = false;
};

/// Writes a value for a message: `value 'x'`, `a list`, `a map`, `no value`; long texts are cut.
[[nodiscard]] std::string describe(const YamlNode& node);

}  // namespace disttask::settings
