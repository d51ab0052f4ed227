#include "disttask/observability/log.hpp"

#include "capture_hub.hpp"
#include "disttask/observability/log_context.hpp"
#include "line_fields.hpp"
#include "log_text.hpp"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

namespace disttask::observability {

namespace {

constexpr std::array<std::string_view, 4> kLevelTexts = {"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 4> kLevelTitles = {"DEBUG", "INFO", "WARN", "ERROR"};
constexpr std::array<std::string_view, 4> kJournalPriorities = {"<7>", "<6>", "<4>", "<3>"};

std::size_t indexOf(Level level) {
  return static_cast<std::size_t>(level);
}

// spdlog has no level of its own between ours that we need: the line holds ours already.
constexpr auto kSpdlogLevel = spdlog::level::critical;

struct Log {
  Log() { apply(); }

  // The pattern holds what spdlog knows better than we do: the time. All else is in the text that we give it (%v).
  void apply() {
    std::string pattern = "%v";
    if (settings.format == Format::kJson) {
      pattern = settings.to_journal ? "%v" : R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v)";
    } else if (!settings.to_journal) {
      pattern = "%Y-%m-%dT%H:%M:%S.%eZ %v";
    }
    sink->set_formatter(std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
  }

  [[nodiscard]] std::string lineOf(Level level, std::string_view message, std::span<const Field> fields) const {
    const auto at = indexOf(level);
    std::string line(settings.to_journal ? kJournalPriorities[at] : "");
    if (settings.format == Format::kJson) {
      if (settings.to_journal) line += '{';
      return line + jsonMembers(level, message, fields) + '}';
    }
    if (!settings.to_journal) line.append(kLevelTitles[at]).append(" ");
    return line + textLine(message, fields);
  }

  std::atomic<Level> threshold{Level::kInfo};
  std::atomic<bool> is_captured{false};
  std::array<std::atomic<std::uint64_t>, kLevelTexts.size()> num_lines{};
  std::shared_mutex mutex;  // of all below; shared while writing a line
  LogSettings settings;
  std::vector<Field> process_fields;
  std::vector<std::shared_ptr<const Capturer>> capturers;
  std::shared_ptr<spdlog::sinks::stderr_sink_mt> sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  spdlog::logger logger{"disttask", sink};
};

// Never destroyed: a thread may log while the process exits.
Log& theLog() {
  static Log& instance = *new Log;
  return instance;
}

}  // namespace

std::string_view toString(Level level) noexcept {
  return kLevelTexts[indexOf(level)];
}

std::optional<Level> parseLevel(std::string_view text) noexcept {
  for (std::size_t i = 0; i < kLevelTexts.size(); ++i) {
    if (kLevelTexts[i] == text) return static_cast<Level>(i);
  }
  return std::nullopt;
}

namespace {

void write(Level level, std::string_view message, std::span<const Field> fields) noexcept {
  try {
    auto& state = theLog();
    ++state.num_lines[indexOf(level)];
    const std::shared_lock lock(state.mutex);
    const auto all = lineFields(fields, state.process_fields);
    for (const auto& capturer : state.capturers) (*capturer)(level, message, all);
    if (state.capturers.empty()) state.logger.log(kSpdlogLevel, state.lineOf(level, message, all));
  } catch (...) {  // no memory for the line: it is lost, the work goes on
    return;
  }
}

}  // namespace

void log(Level level, std::string_view message, std::span<const Field> fields) noexcept {
  if (isEnabled(level)) write(level, message, fields);
}

void logAsked(std::string_view message, std::span<const Field> fields) noexcept {
  write(Level::kInfo, message, fields);
}

void log(Level level, std::string_view message, std::initializer_list<Field> fields) noexcept {
  log(level, message, std::span<const Field>(fields.begin(), fields.size()));
}

void log(Level level, std::string_view message, const Error& error, std::initializer_list<Field> fields) noexcept {
  try {
    std::vector<Field> all(fields);
    all.emplace_back("error", error.message());
    all.emplace_back("code", toString(error.code()));
    all.emplace_back("reaction", toString(error.reaction()));
    if (error.storeNumber() != 0) all.emplace_back("store_number", error.storeNumber());
    log(level, message, std::span<const Field>(all));
  } catch (...) {  // no memory for the fields
    log(level, message, fields);
  }
}

void configureLog(const LogSettings& settings) {
  auto& state = theLog();
  const std::unique_lock lock(state.mutex);
  state.settings = settings;
  state.threshold = settings.level;
  state.apply();
}

void setProcessFields(std::vector<Field> fields) {
  auto& state = theLog();
  const std::unique_lock lock(state.mutex);
  state.process_fields = std::move(fields);
}

void setLevel(Level level) noexcept {
  theLog().threshold = level;
}

bool isEnabled(Level level) noexcept {
  const auto& state = theLog();
  return level >= state.threshold.load() || state.is_captured.load();
}

std::uint64_t numLines(Level level) noexcept {
  return theLog().num_lines[indexOf(level)];
}

bool isStderrJournal(const char* journal_stream) noexcept {
  if (journal_stream == nullptr) return false;
  struct ::stat status {};
  if (::fstat(STDERR_FILENO, &status) != 0) return false;
  unsigned long long device = 0;
  unsigned long long inode = 0;
  if (std::sscanf(journal_stream, "%llu:%llu", &device, &inode) != 2) return false;
  return device == status.st_dev && inode == status.st_ino;
}

void addCapturer(std::shared_ptr<const Capturer> capturer) {
  auto& state = theLog();
  const std::unique_lock lock(state.mutex);
  state.capturers.push_back(std::move(capturer));
  state.is_captured = true;
}

void removeCapturer(const std::shared_ptr<const Capturer>& capturer) {
  auto& state = theLog();
  const std::unique_lock lock(state.mutex);
  std::erase(state.capturers, capturer);
  state.is_captured = !state.capturers.empty();
}

}  // namespace disttask::observability
