#include "daemon_impl.hpp"
#include "disttask/base/random.hpp"
#include "disttask/base/tidb_schema.hpp"
#include "disttask/observability/log.hpp"
#include "disttask/observability/sampled_log.hpp"
#include "disttask/runtime/backoff.hpp"
#include "disttask/settings/endpoint_text.hpp"
#include "exit_codes.hpp"
#include "part_settings.hpp"
#include "process_setup.hpp"
#include "sd_notify.hpp"
#include "store_settings.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace disttask::app {
namespace {

using observability::Level;
using std::chrono::seconds;

constexpr auto kStatusEvery = seconds(5);
constexpr auto kLookAtDrainEvery = seconds(1);
// Side rows that TiDB leaves behind when it moves a task to its history.
constexpr auto kSideRowsFirst = seconds(60);
constexpr auto kSideRowsEvery = std::chrono::hours(1);
constexpr auto kSideRowsPause = seconds(1);
constexpr std::int32_t kSideRowsAtOnce = 512;

/// Ends the process at once: destructors would wait for what must not be waited for.
[[noreturn]] void leave(int code) {
  ::_exit(code);
}

}  // namespace

Daemon::Daemon(settings::Settings settings, settings::HostFacts facts, std::string settings_file)
    : impl_(std::make_unique<Impl>(std::move(settings), std::move(facts), std::move(settings_file))) {}
Daemon::~Daemon() = default;
int Daemon::run() {
  return impl_->run();
}

int Daemon::Impl::run() {
  keepMemorySmall();
  configureLog(settings.log);
  nameNodeInLog(settings.node.id, 0);
  // Before any plugin and any thread: the driver's first call is not thread-safe.
  sqlclient::initializeDriver();
  observability::log(
      Level::kInfo,
      "starting",
      {{"version", DISTTASK_VERSION}, {"exec_id", settings.node.id}, {"scope", settings.node.scope}}
  );
  warnOfShortWatchdog();
  loadPlugins();
  watchSignals();
  openPages();
  try {
    Patience patience(reactor, "starting");
    auto to_store = toStoreSettings(settings.store, facts, settings.node.lease);
    to_store.connect.on_connect = [this] { metrics.storeConnected(); };
    to_store.connect.on_error = [this](const Error& error) { metrics.storeFailed(error); };
    store = std::make_unique<storage::mysql::Store>(std::move(to_store), clock);
    openStore(patience);
    const auto address = listenForNudges();
    build(address);
    say(patience,
        "registering; while another process holds the id '" + settings.node.id + "', waiting for its lease to end");
    lease->acquire(stop_source.token(), [this, &patience](const std::string& why) {
      say(patience, "registering, waiting: " + why);
    });
    nameNodeInLog(settings.node.id, lease->node().epoch);
  } catch (const Exception& failure) {
    closePages();
    reactor.stop();
    ctl.releaseAndWait();
    if (failure.error().code() != ErrorCode::kCancelled) throw;
    observability::log(Level::kInfo, "stopped before it had started");
    return kExitClean;
  }
  work();
  return stop();
}

void Daemon::Impl::warnOfShortWatchdog() const {
  const auto needed = 3 * (settings.store.connect_timeout + settings.store.read_timeout);
  if (!watchdog || *watchdog >= needed) return;
  observability::log(
      Level::kWarn,
      "WatchdogSec= of the unit is less than three times store.connect_timeout + store.read_timeout: waiting for the "
      "store may look like a stuck loop",
      {{"seconds", std::chrono::duration<double>(*watchdog).count()},
       {"needed_seconds", std::chrono::duration<double>(needed).count()}}
  );
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
  for (const auto& type : types.all()) addType(type);
}

void Daemon::Impl::addType(const std::shared_ptr<plugin::TaskType>& type) {
  executor::registerPluginType(registry, type);
  metrics.addType(type->name());
  observability::log(
      Level::kInfo, "task type", {{"type", type->name()}, {"type_version", type->version()}, {"origin", type->origin()}}
  );
}

void Daemon::Impl::watchSignals() {
  reactor.onSignals({SIGTERM, SIGINT, SIGHUP, SIGUSR1}, [this](int signal) {
    if (signal == SIGUSR1) return dumpState();
    if (signal == SIGHUP) {
      // Files are read by the main thread, while starting as soon as all works.
      reload_asked = true;
      return main_pause.notify();
    }
    if (signals_seen.fetch_add(1) > 0) {
      observability::log(Level::kWarn, "second signal, leaving at once", {{"signal", signal}});
      leave(kExitSecondSignal);
    }
    observability::log(Level::kInfo, "stopping", {{"signal", signal}});
    drains = signal == SIGTERM;
    phase = Phase::kStopping;
    notifyStopping("stopping");
    stop_source.cancel(runtime::CancelCause::kShutdown);
  });
  reactor.start();
}

void Daemon::Impl::openStore(Patience& patience) {
  runtime::Wakeup pause(clock);
  observability::SampledLog sampled(seconds(10));
  const runtime::BackoffPolicy policy{std::chrono::milliseconds(200), seconds(5), 0.2};
  const auto first_try = clock.now();
  for (std::uint32_t attempt = 1;; ++attempt) {
    stop_source.token().throwIfCancelled();
    try {
      store->schema().check(call(seconds(10)));
      connections.setStoreId(store->storeId(call(seconds(10))));
      return;
    } catch (const Exception& failure) {
      if (!healsByWaiting(failure.error())) throw;
      const auto gone = std::chrono::duration_cast<seconds>(clock.now() - first_try).count();
      say(patience, fmt::format("waiting for the store, gone for {} s: {}", gone, failure.what()));
      sampled.log(
          Level::kWarn, "waiting for the store", {{"error", failure.what()}, {"code", toString(failure.error().code())}}
      );
    }
    // Nodes that lost their store together do not come back in step.
    const double random = static_cast<double>(randomBelow(1000)) / 1000.0;
    pause.waitFor(stop_source.token(), runtime::backoffDelay(policy, attempt, random));
  }
}

std::string Daemon::Impl::listenForNudges() {
  const auto listen = settings::parseEndpoint(settings.node.listen, 0);
  auto shown = *listen;
  try {
    shown.port = reactor.listenUdp(listen->host, listen->port, [this](std::string_view text) { takeNudge(text); });
  } catch (const Exception& failure) {
    // All works without hints, if later: no reason to stay down.
    observability::log(Level::kError, "no hints that there is work can be received here", failure.error());
    return "";
  }
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
          store->taskTable(),
          registry,
          clock,
          reactor,
          ctl,
          *task_pool,
          *lease,
          [this] { poller->nudge(); },
          &store->runLogTable()}
  );
  nudges = std::make_unique<Nudges>(store->nodeTable(), store->schedulerTable(), clock, ctl);
  manager->node().on_returned = [this](const std::string& type, runtime::Duration took) {
    metrics.returned(type, took);
  };
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
          [](const std::vector<proto::Node>& nodes) { Nudges::wakeSchedulers(nodes); },
      },
      toSchedulerSettings(settings)
  );
  history = std::make_unique<scheduler::HistoryMover>(
      scheduler::HistoryDeps{
          store->historyTable(),
          clock,
          reactor,
          history_pool,
          [this] { return scheduler->ownerLife(); },
          &store->runLogTable()},
      toHistorySettings(settings)
  );
  if (isTidbSchema(settings.store.schema)) {
    side_rows = std::make_unique<runtime::Periodic>("side-rows", reactor, history_pool, [this]() -> runtime::Duration {
      const runtime::Call call{stop_source.token(), runtime::Deadline(clock, settings.store.read_timeout)};
      try {
        const auto deleted = store->historyTable().forgetAttempts(call, kSideRowsAtOnce);
        return deleted < kSideRowsAtOnce ? runtime::Duration(kSideRowsEvery) : runtime::Duration(kSideRowsPause);
      } catch (const Exception& failure) {
        if (failure.error().code() == ErrorCode::kCancelled) return kSideRowsEvery;
        observability::log(Level::kWarn, "old side rows stay for now", failure.error());
        return kSideRowsEvery;
      }
    });
  }
  poller->watch([this](runtime::Duration took, bool answered) {
    metrics.polled(took, answered);
    contact.note(clock.now(), took, answered);
  });
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
  hooks.on_new_life = [this](const proto::Node& node) {
    nameNodeInLog(settings.node.id, node.epoch);
    wakeOwner();
  };
  hooks.modifications = [this] { return manager->appliedModifications(); };
  hooks.reasons = [this] { return reasons(); };
  hooks.writer_progress = [this] { return manager->writerProgress(); };
  lease->start(std::move(hooks));
  manager->start();
  planner->start();
  scheduler->start();
  if (settings.scheduler.enabled) history->start();
  if (side_rows) side_rows->start(kSideRowsFirst);
  poller->start();
  why_page = std::make_unique<WhyPage>(*store, clock, logJobFailure);
  built.store(true);
  working.store(true);
  wakeOwner();  // who gives this node a share of what waits at others
  auto starting = Phase::kStarting;
  phase.compare_exchange_strong(starting, Phase::kWorking);
  notifyReady(statusLine(report()));
  observability::log(Level::kInfo, "ready", {{"exec_id", settings.node.id}, {"life", lease->node().life}});
  const auto every = watchdog ? std::min<runtime::Duration>(kStatusEvery, *watchdog / 4) : kStatusEvery;
  while (main_pause.waitFor(stop_source.token(), every) != runtime::WakeReason::kCancelled) {
    if (reload_asked.exchange(false)) reload();
    if (watchLoops() && watchdog) notifyAlive();
    if (!http) openPages();
    notifyStatus(statusLine(report()));
  }
}

/// Writes into this node's row that it drains; true: that is settled, one way or the other.
bool Daemon::Impl::askForDrain() {
  try {
    // Not with the token of the stop, which is cancelled by now.
    const storage::Call once{{}, runtime::Deadline(clock, seconds(5))};
    const auto limit = std::chrono::ceil<seconds>(settings.node.drain_timeout);
    if (!store->nodeTable().drainForStop(once, settings.node.id, lease->node().life, limit)) {
      observability::log(Level::kInfo, "what an operator wants of this node stays", {{"exec_id", settings.node.id}});
    }
    wakeOwner();  // who moves what waits here
    return true;
  } catch (...) {
    const auto error = currentError();
    observability::log(Level::kWarn, "the drain cannot be written into this node's row, trying again", error);
    return !healsByWaiting(error);
  }
}

void Daemon::Impl::drain() {
  const runtime::Deadline deadline(clock, settings.node.drain_timeout);
  bool is_asked = askForDrain();
  manager->drain();
  observability::log(
      Level::kInfo,
      "draining, a second signal ends this process at once",
      {{"runs", manager->numLiveRuns()}, {"seconds", std::chrono::ceil<seconds>(deadline.left()).count()}}
  );
  while (!deadline.isReached()) {
    const auto left = std::chrono::ceil<seconds>(deadline.left());
    {
      const std::lock_guard lock(words_mutex);
      waits_for = fmt::format("draining, {} runs may go on for {} s", manager->numLiveRuns(), left.count());
    }
    if (watchLoops() && watchdog) notifyAlive();
    notifyExtendTimeout(kExtendBy, statusLine(report()));
    if (manager->waitUntilEmpty(std::min<runtime::Duration>(kLookAtDrainEvery, deadline.left()))) break;
    if (!is_asked) is_asked = askForDrain();
  }
}

int Daemon::Impl::stop() {
  if (drains && settings.node.drain_timeout.count() > 0) drain();
  // Beyond this the service manager ends what does not end.
  const auto limit = settings.node.stop_timeout * 5 / 4 + kExtendBy;
  std::optional<WatchdogFood> food;
  if (watchdog) food = WatchdogFood{[this] { return watchLoops(); }, *watchdog / 4};
  const Patience patience(reactor, "stopping: waiting for runs to return", limit, std::move(food));
  {
    const std::lock_guard lock(words_mutex);
    waits_for = "waiting for runs to return";
  }
  working.store(false);
  history->stop();
  if (side_rows) side_rows->stop();
  scheduler->stop();
  nudges->wakeAllNodesNow();  // one of them takes the role
  planner->cancel();          // its plans and the runs have the same time to end
  const runtime::Deadline until_stuck(clock, settings.node.stop_timeout);
  const auto stuck = manager->stop();
  const auto plans = planner->stop(std::max<runtime::Duration>(until_stuck.left(), seconds(1)));
  if (plans > 0) {
    observability::log(
        Level::kError,
        "plans did not end, leaving without them; other nodes go on with them when the lease has ended",
        {{"plans", plans}}
    );
  }
  if (stuck > 0) {
    // The rows of these runs stay ours until the lease ends: somebody who took them now would run beside them.
    observability::log(
        Level::kError,
        "runs did not return, leaving without them; their rows move when the lease has ended",
        {{"runs", stuck}}
    );
  }
  if (stuck > 0 || plans > 0) leave(kExitRunStuck);
  poller->stop();  // only now: while runs return, its polls say that this node is alive
  lease->release();
  nudges->wakeAllNodesNow();  // what was pending here may move
  closePages();
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
      scheduler->noteTold();
      return poller->look();  // whose answer the scheduler role gets, too
    case Nudges::Wakes::kAll:
      manager->nudge();  // which asks for a poll, for all
      return scheduler->nudge();
  }
}

}  // namespace disttask::app
