#pragma once
#include "disttask/settings/key_table.hpp"
#include "yaml_tree.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::settings {

/// Reads the members of one YAML map by the table of keys (key_table.hpp): names, kinds, ranges and defaults come from
/// there. A member that is absent gets its default, or leaves the variable as it is when the table has none; one that
/// is wrong is a problem. The destructor reports members that the table does not know.
class Section {
 public:
  /// The whole document; `only`: nothing but this section may stand in it.
  Section(const YamlNode& root, Problems& problems, std::string_view only = "");
  /// The map under a key: absent (nothing is set), or no map (that is a problem).
  Section(Section& parent, std::string_view key);
  /// One of the maps of a section whose keys are names.
  Section(Section& parent, const YamlMember& named);
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;
  ~Section();

  /// Returns the member, or null when absent or when it has no value.
  [[nodiscard]] const YamlMember* find(std::string_view key) const;
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  [[nodiscard]] std::string pathOf(std::string_view key) const;
  /// Returns all members, for sections whose keys are names.
  [[nodiscard]] const std::vector<YamlMember>& all() const;

  // The key must be in the table, with a kind that fits.
  void read(std::string_view key, std::string& out);
  void read(std::string_view key, bool& out);
  void read(std::string_view key, std::int32_t& out);
  void read(std::string_view key, std::chrono::milliseconds& out);
  void read(std::string_view key, std::int64_t& out);  ///< a size
  void read(std::string_view key, std::vector<std::string>& out);
  /// One of the words of the table, which stand in the order of the enumeration.
  template <typename Enum>
  void readWord(std::string_view key, Enum& out) {
    if (const int index = wordIndex(key); index >= 0) out = static_cast<Enum>(index);
  }

  /// Notes a problem with a member: `value 'x', expected …`.
  void wrong(const YamlMember& member, std::string_view expected);
  /// Notes a problem with a key, or with the section when the key is empty, in own words.
  void problem(std::string_view key, std::string text);
  /// The same at another place.
  void problemAt(const Place& place, std::string_view key, std::string text);

 private:
  Section(const YamlNode* node, std::string path, std::string pattern, Problems& problems);
  [[nodiscard]] const Key& keyOf(std::string_view name) const;
  /// Returns the member if it is a scalar; notes a problem if it is something else.
  const YamlMember* findScalar(const Key& key, std::string_view name);
  [[nodiscard]] int wordIndex(std::string_view key);

  const YamlNode* node_;
  const std::string path_;     // as people write it: connections.demo
  const std::string pattern_;  // as the table has it: connections.*
  Problems& problems_;
  std::vector<std::string> known_;
};

/// Writes a value for a message: `value 'x'`, `a list`, `a map`, `no value`; long texts are cut.
[[nodiscard]] std::string describe(const YamlNode& node);

}  // namespace disttask::settings
