#include "disttask/observability/log_capture.hpp"

#include "capture_hub.hpp"

#include <mutex>
#include <utility>

namespace disttask::observability {

std::string LogRecord::value(std::string_view key) const {
  for (const auto& field : fields) {
    if (field.key() == key) return field.value();
  }
  return {};
}

struct LogCapture::Lines {
  mutable std::mutex mutex;
  std::vector<LogRecord> records;
  std::shared_ptr<const Capturer> capturer;
};

LogCapture::LogCapture() : lines_(std::make_unique<Lines>()) {
  auto* lines = lines_.get();  // outlives the capturer, which goes with it
  lines->capturer =
      std::make_shared<const Capturer>([lines](Level level, std::string_view message, std::span<const Field> fields) {
        const std::lock_guard lock(lines->mutex);
        lines->records.push_back({level, std::string(message), {fields.begin(), fields.end()}});
      });
  addCapturer(lines->capturer);
}

LogCapture::~LogCapture() {
  removeCapturer(lines_->capturer);
}

std::vector<LogRecord> LogCapture::records() const {
  const std::lock_guard lock(lines_->mutex);
  return lines_->records;
}

std::vector<LogRecord> LogCapture::records(std::string_view message) const {
  auto all = records();
  std::erase_if(all, [message](const LogRecord& record) { return record.message != message; });
  return all;
}

}  // namespace disttask::observability
