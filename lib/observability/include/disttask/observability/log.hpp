#pragma once
#include "disttask/base/error.hpp"
#include "disttask/base/strong_id.hpp"

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace disttask::observability {

/// debug: for whoever looks for a fault; info: state changes; warn: what is tried again; error: what a person must see.
enum class Level : std::uint8_t { kDebug, kInfo, kWarn, kError };
[[nodiscard]] std::string_view toString(Level level) noexcept;  ///< "debug", "info", "warn", "error"
[[nodiscard]] std::optional<Level> parseLevel(std::string_view text) noexcept;

enum class Format : std::uint8_t { kText, kJson };

/// How the process writes its lines on stderr.
struct LogSettings {
  Level level = Level::kInfo;  ///< lower ones are dropped
  Format format =
      Format::kText;  ///< text: `message key=value …`, values quoted when they must be; json: one object a line
  bool to_journal =
      false;  ///< stderr is the journal: a priority such as `<6>` before each line instead of time and level
};

/// A named value of a line. Names are stable: snake_case, such as task_id, subtask_id, exec_id, cause. Never a secret
/// or a whole meta; values are cut to 4 KiB.
class Field {
 public:
  Field(std::string_view key, std::string_view value) : key_(key), value_(value) {}
  Field(std::string_view key, const std::string& value) : key_(key), value_(value) {}
  Field(std::string_view key, const char* value) : key_(key), value_(value) {}
  Field(std::string_view key, bool value) : key_(key), value_(value ? "true" : "false"), is_bare_(true) {}
  Field(std::string_view key, double value);
  template <std::integral T>
  requires(!std::same_as<T, bool> && !std::same_as<T, char>) Field(std::string_view key, T value)
      : key_(key), value_(std::to_string(value)), is_bare_(true) {}
  template <typename Tag, std::integral T>
  Field(std::string_view key, StrongId<Tag, T> id) : Field(key, id.value()) {}

  [[nodiscard]] const std::string& key() const noexcept { return key_; }
  [[nodiscard]] const std::string& value() const noexcept { return value_; }
  /// True for numbers and booleans, which JSON writes without quotes.
  [[nodiscard]] bool isBare() const noexcept { return is_bare_; }

 private:
  std::string key_;
  std::string value_;
  bool is_bare_ = false;
};

/// Writes one line; `message` is a fixed text, what varies goes into fields. Any thread; may block while stderr does; a
/// line that cannot be written is lost silently.
void log(Level level, std::string_view message, std::initializer_list<Field> fields = {}) noexcept;
void log(Level level, std::string_view message, std::span<const Field> fields) noexcept;
/// Writes a line of level info that a person has asked for: whatever the level is.
void logAsked(std::string_view message, std::span<const Field> fields) noexcept;
/// The same as log, with the error's text, code and reaction (and store number, if any) as the fields error, code,
/// reaction, store_number.
void log(Level level, std::string_view message, const Error& error, std::initializer_list<Field> fields = {}) noexcept;

/// Sets how lines are written from now on. Any thread. Before the first call: info, text.
void configureLog(const LogSettings& settings);
/// Changes the level only. Any thread.
void setLevel(Level level) noexcept;
/// True if a line of that level goes anywhere: for fields that are costly to make.
[[nodiscard]] bool isEnabled(Level level) noexcept;

/// Returns how many lines of that level were written so far, by this process.
[[nodiscard]] std::uint64_t numLines(Level level) noexcept;

/// True if stderr is what JOURNAL_STREAM names ("device:inode"); `journal_stream` is that variable's value, nullptr =
/// not set.
[[nodiscard]] bool isStderrJournal(const char* journal_stream) noexcept;

}  // namespace disttask::observability
