#pragma once
#include "disttask/observability/log.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::observability {

/// One line as a test sees it.
struct LogRecord {
  Level level = Level::kInfo;
  std::string message;
  std::vector<Field> fields;

  /// Returns the value of a field; empty when there is none.
  [[nodiscard]] std::string value(std::string_view key) const;
};

/// For tests: while it lives, lines of all levels of this process come here instead of stderr. Any thread may log and
/// look.
class LogCapture {
 public:
  LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
  ~LogCapture();

  [[nodiscard]] std::vector<LogRecord> records() const;
  /// Returns those with this message.
  [[nodiscard]] std::vector<LogRecord> records(std::string_view message) const;
  [[nodiscard]] std::size_t count(std::string_view message) const { return records(message).size(); }

 private:
  struct Lines;
  std::unique_ptr<Lines> lines_;
};

}  // namespace disttask::observability
