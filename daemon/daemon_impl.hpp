#pragma once
#include "daemon.hpp"
#include "disttask/executor/manager.hpp"
#include "disttask/executor/node_lease.hpp"
#include "disttask/executor/node_poller.hpp"
#include "disttask/http/http_server.hpp"
#include "disttask/planning/planning_service.hpp"
#include "disttask/plugin/plugin_loader.hpp"
#include "disttask/runtime/periodic.hpp"
#include "disttask/scheduler/history_mover.hpp"
#include "disttask/scheduler/scheduler_service.hpp"
#include "disttask/storage/mysql/store.hpp"
#include "loop_watch.hpp"
#include "named_connections.hpp"
#include "node_metrics.hpp"
#include "node_report.hpp"
#include "nudges.hpp"
#include "patience.hpp"
#include "reload.hpp"
#include "sd_notify.hpp"
#include "store_contact.hpp"
#include "why_page.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace disttask::app {

/// For pools: what a job of the daemon throws is logged.
void logJobFailure(const Error& error);

/// All that a daemon owns, in the order in which it is built. daemon.cpp starts and stops it, daemon_report.cpp says
/// how it is.
struct Daemon::Impl {
  Impl(settings::Settings settings_in, settings::HostFacts facts_in, std::string settings_file_in)
      : settings(std::move(settings_in)),
        facts(std::move(facts_in)),
        settings_file(std::move(settings_file_in)),
        connections(settings.connections, facts.credentials_directory) {}

  int run();
  void warnOfShortWatchdog() const;
  void loadPlugins();
  void watchSignals();
  void openStore(Patience& patience);
  std::string listenForNudges();
  void build(const std::string& address);
  void work();
  /// After SIGTERM: nothing begins here any more, and what runs may end by itself for a while.
  void drain();
  [[nodiscard]] bool askForDrain();
  int stop();
  void openPages();
  void closePages();
  void answer(const http::HttpRequest& request, const http::Respond& respond);
  /// Notes how far the loops are; true: all move.
  bool watchLoops();
  /// Lets plugin types run here.
  void addType(const std::shared_ptr<plugin::TaskType>& type);
  // At SIGHUP, on the main thread (daemon_reload.cpp).
  void reload();
  [[nodiscard]] std::string reloadSettings();
  [[nodiscard]] std::string refuseSettings(const std::vector<settings::SettingsProblem>& problems);
  void apply(const ReloadPlan& plan);
  void describeNode(const settings::Settings& next);
  std::size_t loadNewPlugins(std::string& trouble);
  void noteReload(const std::string& trouble);
  /// At SIGUSR1, on the reactor's thread (daemon_dump.cpp).
  void dumpState() const;
  void say(Patience& patience, const std::string& waits_for);
  void takeNudge(std::string_view text);
  void announcePlan();
  void wakeOwner();
  [[nodiscard]] std::optional<runtime::TimePoint> lastRenewal() const;
  [[nodiscard]] NodeReport report() const;
  [[nodiscard]] NodeCounts counts() const;
  /// Returns what the store refuses this node now: of its renewals, or else of its polls.
  [[nodiscard]] std::optional<Error> storeError() const;
  [[nodiscard]] std::string reasons() const;
  [[nodiscard]] runtime::Call call(runtime::Duration limit) const {
    return {stop_source.token(), runtime::Deadline(clock, limit)};
  }

  const settings::Settings settings;  // as at the start; parts that a reload changes have the present ones
  const settings::HostFacts facts;
  const std::string settings_file;
  settings::Settings present = settings;  // what holds now; touched by the main thread only
  runtime::Clock& clock = runtime::systemClock();
  const runtime::TimePoint began = clock.now();
  NodeMetrics metrics{DISTTASK_VERSION, NodeMetrics::schedulerOf(settings)};
  StoreContact contact;
  const std::optional<std::chrono::microseconds> watchdog = watchdogPeriod();
  // Without a service manager that watches, a minute. Two thirds: what stands still is found, and the time without food
  // is over, before the period has passed twice.
  LoopWatch loops{watchdog ? runtime::Duration(*watchdog) * 2 / 3 : runtime::Duration(std::chrono::seconds(60))};
  std::shared_ptr<std::atomic<std::uint64_t>> beats = std::make_shared<std::atomic<std::uint64_t>>(0);
  runtime::CancelSource stop_source;
  std::atomic<int> signals_seen{0};
  std::atomic<bool> reload_asked{false};
  runtime::Wakeup main_pause{clock};  // what the main thread waits with while all works
  std::atomic<bool> drains{false};    // before it stops
  NamedConnections connections;
  plugin::TaskTypes types;
  executor::TaskExecutorRegistry registry;
  std::unique_ptr<plugin::PluginLoader> plugins;
  std::unique_ptr<storage::mysql::Store> store;
  runtime::Reactor reactor;
  runtime::ThreadPool ctl{"ctl", 6, 64, logJobFailure};
  std::unique_ptr<runtime::ThreadPool> task_pool;
  runtime::ThreadPool plan_pool{"plan", 4, 0, logJobFailure};
  runtime::ThreadPool history_pool{"history", 1, 0, logJobFailure};
  std::unique_ptr<executor::NodeLease> lease;
  std::unique_ptr<executor::NodePoller> poller;
  std::unique_ptr<executor::Manager> manager;
  std::unique_ptr<Nudges> nudges;
  std::unique_ptr<planning::PlanningService> planner;
  std::unique_ptr<scheduler::SchedulerService> scheduler;
  std::unique_ptr<scheduler::HistoryMover> history;
  std::unique_ptr<runtime::Periodic> side_rows;  ///< beside a live TiDB: deletes those of tasks that TiDB moved away
  std::atomic<bool> built{false};                // the objects above are all there
  std::atomic<bool> working{false};              // and are not being stopped
  std::atomic<Phase> phase{Phase::kStarting};
  mutable std::mutex words_mutex;
  std::string waits_for;                   // guarded by words_mutex
  std::string http_trouble;                // guarded by words_mutex
  std::string reload_trouble;              // guarded by words_mutex
  std::vector<std::string> need_restart;   // guarded by words_mutex: keys whose new values a restart alone applies
  std::unique_ptr<http::HttpServer> http;  // its thread looks at all of the above
  std::unique_ptr<WhyPage> why_page;       // last: it answers through the server; there once `built` is true
};

}  // namespace disttask::app
