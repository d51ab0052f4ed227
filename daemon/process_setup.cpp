#include "process_setup.hpp"

#include "disttask/observability/log_context.hpp"
#include "environment.hpp"
#include "exit_codes.hpp"
#include "part_settings.hpp"

#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <string_view>
#include <utility>
#include <vector>

namespace disttask::app {

namespace {

void handle(int signal, void (*handler)(int)) noexcept {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  ::sigaction(signal, &action, nullptr);
}

void leaveAtOnce(int /*signal*/) {
  constexpr std::string_view kText = "disttaskd: stopped before it had started\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kText.data(), kText.size());
  ::_exit(kExitClean);
}

}  // namespace

void surviveSignals() noexcept {
  // A handler and not SIG_IGN: what a plugin starts would inherit that.
  for (const int signal : {SIGHUP, SIGUSR1}) handle(signal, [](int) {});
  handle(SIGPIPE, SIG_IGN);
}

void stopAtOnceOnSignals() noexcept {
  for (const int signal : {SIGTERM, SIGINT}) handle(signal, &leaveAtOnce);
}

void takeNoMoreSignals() noexcept {
  sigset_t asking;
  ::sigemptyset(&asking);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) ::sigaddset(&asking, signal);
  ::pthread_sigmask(SIG_BLOCK, &asking, nullptr);
}

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
  to.to_journal = settings.format != settings::LogFormat::kText &&
                  observability::isStderrJournal(stream ? stream->c_str() : nullptr);
  observability::configureLog(to);
}

void nameNodeInLog(const std::string& node, std::int64_t epoch) {
  std::vector<observability::Field> fields{{"node", node}};
  if (epoch != 0) fields.emplace_back("epoch", epoch);
  observability::setProcessFields(std::move(fields));
}

}  // namespace disttask::app
