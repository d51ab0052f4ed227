// What a daemon does at SIGHUP: it reads its settings again and applies what can be applied.
#include "daemon_impl.hpp"
#include "disttask/observability/log.hpp"
#include "part_settings.hpp"
#include "process_setup.hpp"
#include "reload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace disttask::app {

using observability::Level;

namespace {
/// After that the watchdog may end a daemon whose new plugins do not get ready.
constexpr std::chrono::minutes kLongestReload{5};
}  // namespace

void Daemon::Impl::reload() {
  notifyReloading("reading the settings again");
  std::string outcome;
  // A plugin's init may take longer than the watchdog waits.
  std::optional<WatchdogFood> food;
  if (watchdog) food = WatchdogFood{[this] { return watchLoops(); }, *watchdog / 4};
  std::optional<Patience> patience(
      std::in_place, reactor, "reading the settings again", kLongestReload, std::move(food)
  );
  try {
    outcome = reloadSettings();
  } catch (const std::exception&) {
    // Whatever it was: work goes on as it did.
    const auto error = currentError();
    observability::log(Level::kError, "the settings could not be reloaded, or in part only", error);
    outcome = "the settings could not be reloaded: " + error.message();
    noteReload(outcome);
  }
  patience.reset();
  notifyReady(outcome + "; " + statusLine(report()));
}

std::string Daemon::Impl::reloadSettings() {
  const auto read = settings::readSettings(settings_file, facts);
  if (!read.problems.empty()) return refuseSettings(read.problems);
  const auto plan =
      planReload(present, read.settings, [this](const std::string& type) { return types.find(type) != nullptr; });
  apply(plan);
  present = plan.next;
  std::string trouble;
  const auto num_plugins = loadNewPlugins(trouble);
  std::vector<std::string> waiting;
  for (const auto& change : plan.need_restart) {
    observability::log(Level::kWarn, "a changed setting needs a restart", {{"setting", toString(change)}});
    waiting.push_back(change.any().name());
  }
  const auto num_waiting = waiting.size();
  {
    const std::lock_guard lock(words_mutex);
    need_restart = std::move(waiting);
  }
  noteReload(trouble);
  observability::log(
      Level::kInfo,
      "the settings were reloaded",
      {{"applied", plan.applied.size()}, {"new_plugins", num_plugins}, {"need_restart", num_waiting}}
  );
  return trouble.empty() ? "settings reloaded" : trouble;
}

/// Shows how the last reload went; `trouble` is empty when all went well.
void Daemon::Impl::noteReload(const std::string& trouble) {
  {
    const std::lock_guard lock(words_mutex);
    reload_trouble = trouble;
  }
  metrics.reloaded(trouble.empty());
}

std::string Daemon::Impl::refuseSettings(const std::vector<settings::SettingsProblem>& problems) {
  // Values stay in the log: strangers see the status.
  const auto& first = problems.front();
  auto trouble = fmt::format(
      "wrong settings were not loaded, the old ones hold: {} problems, the first in {}:{}{}{}",
      problems.size(),
      first.file,
      first.line,
      first.path.empty() ? "" : ": ",
      first.path
  );
  noteReload(trouble);
  for (const auto& problem : problems) {
    observability::log(Level::kError, "the settings are wrong", {{"problem", toString(problem)}});
  }
  observability::log(
      Level::kError,
      "the settings were not reloaded, the old ones hold",
      {{"file", settings_file}, {"problems", problems.size()}}
  );
  return trouble;
}

void Daemon::Impl::apply(const ReloadPlan& plan) {
  const auto& next = plan.next;
  const auto touches = [&plan](std::string_view begin) {
    return std::any_of(plan.applied.begin(), plan.applied.end(), [&](const settings::SettingChange& change) {
      return change.any().name().rfind(begin, 0) == 0;
    });
  };
  // First, so that the lines that follow are written as asked.
  if (touches("log.")) configureLog(next.log);
  for (const auto& change : plan.applied) {
    observability::log(Level::kInfo, "a setting was applied", {{"setting", toString(change)}});
  }
  for (const auto& name : present.plugins.list) {
    const auto& list = next.plugins.list;
    if (std::find(list.begin(), list.end(), name) != list.end()) continue;
    observability::log(
        Level::kWarn, "a plugin needs a restart", {{"plugin", name + " is not in plugins.list any more, and works on"}}
    );
  }
  if (touches("connections.")) connections.reconfigure(next.connections);
  if (touches("polling.")) poller->setIntervals(next.polling.task_interval, next.polling.max_interval);
  if (touches("node.") || touches("polling.") || touches("scheduler.history_keep")) {
    const auto executor_settings = toExecutorSettings(next);
    // A pool with more threads than there are slots does no harm; with fewer, tasks would wait for one.
    task_pool->setMaxThreads(static_cast<std::size_t>(executor_settings.slots) + 1);
    manager->reconfigure(executor_settings);
  }
  if (touches("node.scope") || touches("node.slots")) describeNode(next);
  if (touches("scheduler.max_tasks")) scheduler->setMaxTasksAtOnce(next.scheduler.max_tasks);
  if (touches("scheduler.history_")) history->reconfigure(toHistorySettings(next));
}

void Daemon::Impl::describeNode(const settings::Settings& next) {
  std::map<std::string, std::string> offered;
  for (const auto& type : types.all()) offered.emplace(type->name(), type->version());
  lease->describe(next.node.scope, next.node.slots, offered);
}

/// `trouble` says when a file was refused.
std::size_t Daemon::Impl::loadNewPlugins(std::string& trouble) {
  std::map<std::string, std::string> config;
  for (const auto& [type, value] : present.plugins.config) config.emplace(type, value.dump());
  const auto found = plugins->loadNew(present.plugins.list, std::move(config));
  for (const auto& error : found.refused) observability::log(Level::kError, "a plugin is refused", error);
  if (!found.refused.empty())
    trouble = fmt::format("settings reloaded, but {} new plugin files were refused: see the log", found.refused.size());
  for (const auto& sentence : found.need_restart) {
    observability::log(Level::kWarn, "a plugin needs a restart", {{"plugin", sentence}});
  }
  for (const auto& loaded : found.loaded) {
    for (const auto& name : loaded.types) addType(types.find(name));
  }
  // Only when all parts here know the types may others give us their work.
  if (!found.loaded.empty()) describeNode(present);
  return found.loaded.size();
}

}  // namespace disttask::app
