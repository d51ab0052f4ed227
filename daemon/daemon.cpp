#include "daemon.hpp"

#include "disttask/executor/manager.hpp"
#include "disttask/executor/node_lease.hpp"
#include "disttask/executor/node_poller.hpp"
#include "disttask/observability/log.hpp"
#include "disttask/observability/sampled_log.hpp"
#include "disttask/planning/planning_service.hpp"
#include "disttask/plugin/plugin_loader.hpp"
#include "disttask/runtime/backoff.hpp"
#include "disttask/scheduler/scheduler_service.hpp"
#include "disttask/settings/endpoint_text.hpp"
#include "disttask/storage/mysql/store.hpp"
#include "exit_codes.hpp"
#include "named_connections.hpp"
#include "nudges.hpp"
#include "part_settings.hpp"
#include "patience.hpp"
#include "process_setup.hpp"
#include "sd_notify.hpp"
#include "store_settings.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <csignal>

namespace disttask::app {
namespace {

using observability::Level;
using std::chrono::seconds;

constexpr auto kStatusEvery = seconds(5);
constexpr std::size_t kCtlThreads = 6;
constexpr std::size_t kCtlQueue = 64;
constexpr std::size_t kPlanThreads = 4;

/// Ends the process at once: destructors would wait for what must not be waited for.
[[noreturn]] void leave(int code) {
  ::_exit(code);
}

void logJobFailure(const Error& error) {
  observability::log(Level::kError, "a job of the daemon failed", error);
}

/// Failures that time may heal; login, schema and settings do not heal by waiting.
bool healsByWaiting(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kStoreNoPrivilege:
    case ErrorCode::kStoreSchema:
    case ErrorCode::kStoreSessionUnfit:
    case ErrorCode::kInvalidConfig:
      return false;
    default:
      break;
  }
  return error.reaction() == Reaction::kRetry || error.reaction() == Reaction::kBackOff ||
         error.reaction() == Reaction::kReconnect || error.code() == ErrorCode::kTimedOut;
}

}  // namespace

struct Daemon::Impl {
  Impl(settings::Settings settings_in, settings::HostFacts facts_in)
      : settings(std::move(settings_in)),
        facts(std::move(facts_in)),
        connections(settings.connections, facts.credentials_directory) {}

  int run();
  void loadPlugins();
  void watchSignals();
  void openStore(Patience& patience);
  std::string listenForNudges();
  void build(const std::string& address);
  void work();
  int stop();
  void takeNudge(std::string_view text);
  void announcePlan();
  void wakeOwner();
  [[nodiscard]] std::optional<runtime::TimePoint> lastRenewal() const;
  [[nodiscard]] std::string status() const;
  /// Returns what the store refuses this node now: of its renewals, or else of its polls.
  [[nodiscard]] std::optional<Error> storeError() const;
  [[nodiscard]] std::string reasons() const;
  [[nodiscard]] runtime::Call call(runtime::Duration limit) const {
    return {stop_source.token(), runtime::Deadline(clock, limit)};
  }

  const settings::Settings settings;
  const settings::HostFacts facts;
  runtime::Clock& clock = runtime::systemClock();
  runtime::CancelSource stop_source;
  std::atomic<int> signals_seen{0};
  NamedConnections connections;
  plugin::TaskTypes types;
  executor::TaskExecutorRegistry registry;
  std::unique_ptr<plugin::PluginLoader> plugins;
  std::unique_ptr<storage::mysql::Store> store;
  runtime::Reactor reactor;
  runtime::ThreadPool ctl{"ctl", kCtlThreads, kCtlQueue, logJobFailure};
  std::unique_ptr<runtime::ThreadPool> task_pool;
  runtime::ThreadPool plan_pool{"plan", kPlanThreads, 0, logJobFailure};
  runtime::ThreadPool history_pool{"history", 1, 0, logJobFailure};
  std::unique_ptr<executor::NodeLease> lease;
  std::unique_ptr<executor::NodePoller> poller;
  std::unique_ptr<executor::Manager> manager;
  std::unique_ptr<Nudges> nudges;
  std::unique_ptr<planning::PlanningService> planner;
  std::unique_ptr<scheduler::SchedulerService> scheduler;
  std::unique_ptr<scheduler::HistoryMover> history;
  std::atomic<bool> working{false};  // the objects above are all there and not being stopped
};

Daemon::Daemon(settings::Settings settings, settings::HostFacts facts)
    : impl_(std::make_unique<Impl>(std::move(settings), std::move(facts))) {}
Daemon::~Daemon() = default;
int Daemon::run() {
  return impl_->run();
}

int Daemon::Impl::run() {
  keepMemorySmall();
  configureLog(settings.log);
  // Before any plugin and any thread: the driver's first call is not thread-safe.
  sqlclient::initializeDriver();
  observability::log(
      Level::kInfo,
      "starting",
      {{"version", DISTTASK_VERSION}, {"exec_id", settings.node.id}, {"scope", settings.node.scope}}
  );
  loadPlugins();
  watchSignals();
  try {
    Patience patience(reactor, "starting");
    store = std::make_unique<storage::mysql::Store>(toStoreSettings(settings.store, facts, settings.node.lease), clock);
    openStore(patience);
    const auto address = listenForNudges();
    build(address);
    patience.setStatus(
        "registering; while another process holds the id '" + settings.node.id + "', waiting for its lease to end"
    );
    lease->acquire(stop_source.token(), [&patience](const std::string& why) {
      patience.setStatus("registering, waiting: " + why);
    });
  } catch (const Exception& failure) {
    reactor.stop();
    ctl.releaseAndWait();
    if (failure.error().code() != ErrorCode::kCancelled) throw;
    observability::log(Level::kInfo, "stopped before it had started");
    return kExitClean;
  }
  work();
  return stop();
}

void Daemon::Impl::loadPlugins() {
  plugin::PluginLoaderSettings to;
  to.dir = settings.plugins.dir;
  to.list = settings.plugins.list;
  for (const auto& [type, config] : settings.plugins.config) to.config.emplace(type, config.dump());
  plugins = std::make_unique<plugin::PluginLoader>(std::move(to), types, connections, clock);
  const auto refused = plugins->loadAll();
  for (const auto& error : refused) observability::log(Level::kError, "a plugin is refused", error);
  // What the settings name must be there; of what merely lies in the folder, the rest works on.
  if (!refused.empty() && !settings.plugins.list.empty()) {
    throw Exception(ErrorCode::kInvalidConfig, "plugins.list: " + refused.front().message());
  }
  for (const auto& type : types.all()) {
    executor::registerPluginType(registry, type);
    observability::log(
        Level::kInfo,
        "task type",
        {{"type", type->name()}, {"type_version", type->version()}, {"origin", type->origin()}}
    );
  }
}

void Daemon::Impl::watchSignals() {
  // A peer that goes away is an error of a call, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  reactor.onSignals({SIGTERM, SIGINT}, [this](int signal) {
    if (signals_seen.fetch_add(1) > 0) {
      observability::log(Level::kWarn, "second signal, leaving at once", {{"signal", signal}});
      leave(kExitSecondSignal);
    }
    observability::log(Level::kInfo, "stopping", {{"signal", signal}});
    notifyStopping("stopping");
    stop_source.cancel(runtime::CancelCause::kShutdown);
  });
  reactor.start();
}

void Daemon::Impl::openStore(Patience& patience) {
  runtime::Wakeup pause(clock);
  observability::SampledLog sampled(seconds(10));
  const runtime::BackoffPolicy policy{std::chrono::milliseconds(200), seconds(5), 0.2};
  for (std::uint32_t attempt = 1;; ++attempt) {
    stop_source.token().throwIfCancelled();
    try {
      store->schema().check(call(seconds(10)));
      connections.setStoreId(store->storeId(call(seconds(10))));
      return;
    } catch (const Exception& failure) {
      if (!healsByWaiting(failure.error())) throw;
      patience.setStatus(std::string("waiting for the store: ") + failure.what());
      sampled.log(
          Level::kWarn, "waiting for the store", {{"error", failure.what()}, {"code", toString(failure.error().code())}}
      );
    }
    pause.waitFor(stop_source.token(), runtime::backoffDelay(policy, attempt, 0.5));
  }
}

std::string Daemon::Impl::listenForNudges() {
  const auto listen = settings::parseEndpoint(settings.node.listen, 0);
  auto shown = *listen;
  shown.port = reactor.listenUdp(listen->host, listen->port, [this](std::string_view text) { takeNudge(text); });
  if (!settings.node.advertise.empty()) {
    const auto advertised = settings::parseEndpoint(settings.node.advertise, 0);
    shown.host = advertised->host;
    if (advertised->port != 0) shown.port = advertised->port;
  }
  return settings::toString(shown);
}

void Daemon::Impl::build(const std::string& address) {
  std::map<std::string, std::string> offered;
  for (const auto& type : types.all()) offered.emplace(type->name(), type->version());
  lease = std::make_unique<executor::NodeLease>(
      toLeaseSettings(settings, facts, address, offered), store->nodeTable(), clock, reactor, ctl
  );
  const auto executor_settings = toExecutorSettings(settings);
  // One more than tasks can run at a time: the executor of a task that ends may still be on its thread when the next
  // task has its slots.
  task_pool = std::make_unique<runtime::ThreadPool>(
      "task", static_cast<std::size_t>(executor_settings.slots) + 1, 0, logJobFailure
  );
  poller = std::make_unique<executor::NodePoller>(toPollSettings(settings), store->pollTable(), clock, reactor, ctl);
  manager = std::make_unique<executor::Manager>(
      executor_settings,
      executor::ManagerParts{
          store->taskTable(), registry, clock, reactor, ctl, *task_pool, *lease, [this] { poller->nudge(); }}
  );
  nudges = std::make_unique<Nudges>(store->nodeTable(), store->schedulerTable(), clock, ctl);
  manager->node().on_modified = [this] { lease->renewSoon(); };
  manager->node().on_queue_dry = [this](proto::TaskId) { wakeOwner(); };
  planner = std::make_unique<planning::PlanningService>(
      toPlanningSettings(settings),
      planning::PlanningParts{
          store->planTable(),
          store->nodeTable(),
          store->taskTable(),
          types,
          clock,
          reactor,
          ctl,
          plan_pool,
          [this] { announcePlan(); }}
  );
  scheduler = std::make_unique<scheduler::SchedulerService>(
      scheduler::SchedulerDeps{
          store->nodeTable(),
          store->schedulerTable(),
          clock,
          reactor,
          ctl,
          settings.node.id,
          [this] { return lastRenewal(); },
          [this](const std::vector<proto::ExecId>& nodes) { nudges->wakeNodes(nodes); },
          [this](const std::vector<proto::ExecId>& nodes) { nudges->wakeSchedulers(nodes); },
      },
      toSchedulerSettings(settings)
  );
  history = std::make_unique<scheduler::HistoryMover>(
      scheduler::HistoryDeps{
          store->historyTable(), clock, reactor, history_pool, [this] { return scheduler->ownerLife(); }},
      toHistorySettings(settings)
  );
  // In this order: what ends work goes first, what may take longest goes last.
  poller->subscribe([this](const storage::NodePoll& seen) {
    lease->takePoll(seen);
    scheduler->takePoll(seen);
    return planner->takePoll(seen);
  });
  poller->subscribe([this](const storage::NodePoll& seen) { return manager->takePoll(seen); });
}

void Daemon::Impl::announcePlan() {
  if (!working.load()) return;
  wakeOwner();
  manager->nudge();
  nudges->wakeAllNodes();
}

void Daemon::Impl::wakeOwner() {
  if (!working.load()) return;
  if (scheduler->isOwner()) {
    scheduler->nudge();
  } else {
    nudges->wakeOwner();
  }
}

std::optional<runtime::TimePoint> Daemon::Impl::lastRenewal() const {
  // After the lease has run out another process may live under this id, and what it holds is not ours.
  return lease->validFor() > runtime::Duration::zero() ? lease->lastRenewal() : std::nullopt;
}

void Daemon::Impl::work() {
  executor::LeaseHooks hooks;
  hooks.num_live_runs = [this] { return manager->numLiveRuns(); };
  hooks.progress = [this] { return poller->progress() + manager->progress(); };
  hooks.on_at_risk = [this] { manager->interruptRuns(runtime::CancelCause::kLeaseLost); };
  hooks.on_evicted = hooks.on_at_risk;
  hooks.on_expired = [] { leave(kExitRunStuck); };
  hooks.modifications = [this] { return manager->appliedModifications(); };
  hooks.reasons = [this] { return reasons(); };
  hooks.writer_progress = [this] { return manager->writerProgress(); };
  lease->start(std::move(hooks));
  manager->start();
  planner->start();
  scheduler->start();
  if (settings.scheduler.enabled) history->start();
  poller->start();
  working.store(true);
  notifyReady(status());
  observability::log(Level::kInfo, "ready", {{"exec_id", settings.node.id}, {"life", lease->node().life}});
  runtime::Wakeup pause(clock);
  while (pause.waitFor(stop_source.token(), kStatusEvery) != runtime::WakeReason::kCancelled) notifyStatus(status());
}

int Daemon::Impl::stop() {
  const Patience patience(reactor, "stopping: waiting for runs to return");
  working.store(false);
  history->stop();
  scheduler->stop();
  nudges->wakeAllNodesNow();  // one of them takes the role
  planner->stop();
  const auto stuck = manager->stop();
  if (stuck > 0) {
    // The rows of these runs stay ours until the lease ends: somebody who took them now would run beside them.
    observability::log(
        Level::kError,
        "runs did not return, leaving without them; their rows move when the lease has ended",
        {{"runs", stuck}}
    );
    leave(kExitRunStuck);
  }
  poller->stop();  // only now: while runs return, its polls say that this node is alive
  lease->release();
  nudges->wakeAllNodesNow();  // what was pending here may move
  reactor.stop();
  ctl.releaseAndWait();
  observability::log(Level::kInfo, "stopped");
  return kExitClean;
}

void Daemon::Impl::takeNudge(std::string_view text) {
  if (!working.load()) return;
  switch (Nudges::read(text, lease->node().nudge_token, scheduler->isOwner())) {
    case Nudges::Wakes::kNothing:
      return;
    case Nudges::Wakes::kOwner:
      return scheduler->nudge();
    case Nudges::Wakes::kLook:
      return poller->look();  // whose answer the scheduler role gets, too
    case Nudges::Wakes::kAll:
      manager->nudge();  // which asks for a poll, for all
      return scheduler->nudge();
  }
}

std::optional<Error> Daemon::Impl::storeError() const {
  auto error = lease->lastError();
  return error ? error : poller->lastError();
}

std::string Daemon::Impl::reasons() const {
  const auto error = storeError();
  return error ? proto::encodeReasons(*error) : std::string();
}

std::string Daemon::Impl::status() const {
  const auto& slots = manager->node().slots;
  auto text = fmt::format(
      "{}/{} slots, {} tasks, {} runs",
      slots.capacity() - slots.available(),
      slots.capacity(),
      manager->tasks().size(),
      manager->numLiveRuns()
  );
  if (poller->wanted() != proto::WantedState::kNormal) text += fmt::format(", {}", toString(poller->wanted()));
  if (scheduler->isOwner()) text += ", owner of the scheduler role";
  if (const auto balance = scheduler->balance(); balance.skew > 0) {
    text += fmt::format(", skew of {} subtasks in task {}", balance.skew, balance.task.value());
  }
  if (const auto error = storeError()) text += fmt::format(", {}: {}", toString(error->code()), error->message());
  const auto silent = runtime::Duration(settings.node.lease) - lease->validFor();
  if (silent > runtime::Duration(settings.node.lease) / 2) {
    text += fmt::format(", no confirmed lease renewal for {} s", std::chrono::duration_cast<seconds>(silent).count());
  }
  return text;
}

}  // namespace disttask::app
