#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace disttask::ctl {

class Context;

enum class Output : std::uint8_t {
  kTable,  ///< for people
  kJson,   ///< one document
  kJsonl,  ///< one object a line
  kName,   ///< names only, one a line: what other commands take
};
enum class ColorChoice : std::uint8_t { kAuto, kAlways, kNever };
enum class TimeFormat : std::uint8_t { kAuto, kRelative, kIso };

/// What every command takes.
struct CommonOptions {
  std::string store;          ///< mysql://…; empty = from elsewhere
  std::string config;         ///< a daemon's YAML; empty = none
  std::string schema;         ///< in place of the one that the store is named with; empty = that one
  std::string password_file;  ///< for `store`
  Output output = Output::kTable;
  ColorChoice color = ColorChoice::kAuto;
  TimeFormat time_format = TimeFormat::kAuto;
  bool yes = false;    ///< do what destroys without asking
  bool quiet = false;  ///< data and errors only, no talk
};

struct WaitOptions {
  bool wait = false;
  std::optional<std::chrono::milliseconds> timeout;
};

}  // namespace disttask::ctl
