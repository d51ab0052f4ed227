#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::settings {

/// What the value of a key is.
enum class KeyKind : std::uint8_t {
  kText,        ///< not empty
  kTextOrNone,  ///< '' = none
  kBool,
  kInt,
  kDuration,  ///< with a unit
  kSize,      ///< with a unit
  kTexts,     ///< a list of texts; one alone counts as a list of one
  kWord,      ///< one of `words`
  kAny,       ///< any YAML
};

/// One key of a daemon's settings.
struct Key {
  std::string_view path;  ///< such as node.slots; a `*` stands for a name: connections.*.user
  KeyKind kind = KeyKind::kText;
  std::int64_t min = 0;  ///< kInt, kDuration (milliseconds), kSize (bytes); both count as allowed
  std::int64_t max = 0;
  std::array<std::string_view, 4> words{};  ///< kWord: in the order of the enumeration; the rest is empty
  std::string_view default_text = {};       ///< as it would stand in the file; empty: none, or see default_from
  std::string_view default_from = {};       ///< in words, when the default depends on the host or on other keys
  bool is_live = false;                     ///< a reload applies it; else it needs a restart
  std::string_view sentence = {};           ///< what it means, without a full stop
};

/// Returns all keys, by section, in the order in which people read them. What parses, shows, compares and documents
/// settings takes names, ranges and defaults from here. Any thread.
[[nodiscard]] std::span<const Key> keyTable() noexcept;
/// Returns the key of this path, in the form of the table; null when there is none.
[[nodiscard]] const Key* findKey(std::string_view path) noexcept;
/// Returns the names that may stand directly below a path of the table ("" = the file itself); {"*"} when they are
/// free.
[[nodiscard]] std::vector<std::string> namesBelow(std::string_view path);
/// Returns what may stand there in words: `a whole number from 1 to 4096`.
[[nodiscard]] std::string expectedText(const Key& key);

}  // namespace disttask::settings
