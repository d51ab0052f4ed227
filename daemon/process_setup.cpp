#include "process_setup.hpp"

#include "disttask/observability/log.hpp"
#include "environment.hpp"
#include "part_settings.hpp"

#include <malloc.h>

namespace disttask::app {

void keepMemorySmall() noexcept {
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_TRIM_THRESHOLD, 128 * 1024);
  mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

void configureLog(const settings::LogSettings& settings) {
  observability::LogSettings to;
  to.level = toLevel(settings.level);
  to.format =
      settings.format == settings::LogFormat::kJson ? observability::Format::kJson : observability::Format::kText;
  const auto stream = environmentValue("JOURNAL_STREAM");
  to.to_journal = settings.format == settings::LogFormat::kAuto &&
                  observability::isStderrJournal(stream ? stream->c_str() : nullptr);
  observability::configureLog(to);
}

}  // namespace disttask::app
