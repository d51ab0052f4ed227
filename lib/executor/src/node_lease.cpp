#include "disttask/executor/node_lease.hpp"

#include "disttask/base/failpoint.hpp"
#include "disttask/base/random.hpp"
#include "disttask/executor/holder_watch.hpp"
#include "disttask/executor/instance_lock.hpp"
#include "disttask/observability/log.hpp"
#include "disttask/observability/sampled_log.hpp"
#include "disttask/runtime/periodic.hpp"

#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <optional>

namespace disttask::executor {

namespace {

using observability::Level;
using runtime::Duration;
using runtime::TimePoint;

constexpr Duration kAcquireEvery = std::chrono::milliseconds(500);
constexpr Duration kRetryEvery = std::chrono::seconds(1);
constexpr Duration kSoon = std::chrono::milliseconds(100);

/// Since when a counter stands still.
class Motion {
 public:
  /// Returns for how long it has; `count` nothing: it has no reason to move.
  Duration standsFor(std::optional<std::uint64_t> count, TimePoint now) {
    if (!count || count != count_ || since_ == TimePoint{}) restart(now);
    count_ = count;
    return now - since_;
  }
  void restart(TimePoint now) { since_ = now; }

 private:
  std::optional<std::uint64_t> count_;
  TimePoint since_{};
};

}  // namespace

struct NodeLease::Impl : std::enable_shared_from_this<NodeLease::Impl> {
  Impl(
      const LeaseSettings& settings_in,
      storage::NodeTable& table_in,
      runtime::Clock& clock_in,
      runtime::Timers& timers_in,
      runtime::Pool& ctl
  );

  // --- taking the row; acquire's thread, later the ctl pool ---
  [[nodiscard]] bool tryAcquire(HolderWatch& watch);
  [[nodiscard]] bool tryRegister(const std::optional<proto::Life>& expected);
  void reportHolder(const proto::Node& holder, Duration unchanged);
  [[nodiscard]] storage::Call call() const {
    return {stopping.token(), runtime::Deadline(clock, settings.call_timeout)};
  }

  // --- renewal; ctl pool ---
  Duration renewRound();
  [[nodiscard]] bool isWedged();
  void becomeEvicted(proto::Life life);
  /// Writes what `describe` was told last, if that is not in the rows yet; false: it must be tried again.
  [[nodiscard]] bool describeIfAsked();

  // --- the watch; timer thread ---
  void scheduleWatch();
  void watchOnce();

  const LeaseSettings settings;
  storage::NodeTable& table;
  runtime::Clock& clock;
  runtime::Timers& timers;
  const InstanceLock lock;
  LeaseHooks hooks;  // constant after start
  runtime::CancelSource stopping;
  observability::SampledLog sampled{std::chrono::seconds(5)};

  // touched only by acquire's thread and later by renewal rounds
  std::optional<proto::Node> holder;  // who was seen holding the id
  HolderWatch rewatch;
  Motion polls;
  Motion writes;

  mutable std::mutex mutex;
  // guarded by mutex
  proto::Node self;               // life 0 while not registered
  std::uint64_t description = 0;  // how often role, slots and types of `self` were changed
  std::uint64_t described = 0;    // which of these is in the rows
  TimePoint renewed_at{};         // before the last confirmed renewal was sent
  TimePoint registered_at{};      // after the row of this life was made
  std::optional<Error> last_error;
  bool risk_told = false;
  TimePoint risk_told_at{};
  bool expiry_told = false;
  bool started = false;
  bool released = false;
  std::optional<runtime::Timers::TimerId> watch_timer;

  runtime::Periodic renewals;
};

NodeLease::Impl::Impl(
    const LeaseSettings& settings_in,
    storage::NodeTable& table_in,
    runtime::Clock& clock_in,
    runtime::Timers& timers_in,
    runtime::Pool& ctl
)
    : settings(settings_in),
      table(table_in),
      clock(clock_in),
      timers(timers_in),
      lock(InstanceLock::acquire(settings_in.state_dir, settings_in.boot_id_file)),
      renewals("lease", timers_in, ctl, [this] { return renewRound(); }) {
  self.exec_id = settings.exec_id;
  self.instance_uuid = lock.instanceUuid();
  self.boot_id = lock.bootId();
  self.lock_file_id = lock.lockFileId();
  self.lease_ms = std::chrono::duration_cast<std::chrono::milliseconds>(settings.lease).count();
  self.host = settings.host;
  self.pid = ::getpid();
  self.address = settings.address;
  self.types = settings.types;
  self.version = settings.version;
  self.role = settings.scope;
  self.slots = settings.slots;
}

bool NodeLease::Impl::tryRegister(const std::optional<proto::Life>& expected) {
  proto::Node fresh;
  std::uint64_t number = 0;
  {
    const std::lock_guard guard(mutex);
    fresh = self;
    number = description;
  }
  fresh.epoch = holder ? holder->epoch + 1 : 1;
  fresh.life = proto::Life(randomToken());
  fresh.nudge_token = randomToken();
  fresh.renewals = 0;
  fresh.modifications = hooks.modifications ? hooks.modifications() : 0;
  const auto sent = clock.now();
  if (!table.registerNode(call(), fresh, expected)) return false;
  {
    const std::lock_guard guard(mutex);
    const auto now_said = std::exchange(self, fresh);
    self.role = now_said.role;
    self.slots = now_said.slots;
    self.types = now_said.types;
    described = number;
    renewed_at = sent;
    registered_at = clock.now();
    risk_told = expiry_told = false;
  }
  observability::log(
      Level::kInfo,
      expected && expected->value() != 0 ? "node took its row over" : "node registered",
      {{"exec_id", fresh.exec_id}, {"epoch", fresh.epoch}, {"life", fresh.life}, {"instance", fresh.instance_uuid}}
  );
  if (hooks.on_new_life) hooks.on_new_life(fresh);
  return true;
}

bool NodeLease::Impl::tryAcquire(HolderWatch& watch) {
  const auto row = table.getNode(call(), settings.exec_id);
  holder = row;
  if (!row) return tryRegister(std::nullopt);
  if (row->life.value() == 0) return tryRegister(row->life);
  // This very instance, and its process has ended: we hold its lock. A copied or lost directory, a clone or a reboot
  // differ in one of these.
  if (row->instance_uuid == lock.instanceUuid() && row->boot_id == lock.bootId() &&
      row->lock_file_id == lock.lockFileId()) {
    return tryRegister(row->life);
  }
  // A write of ours that changes nothing: a life that no row has. It says whether the store takes writes now.
  proto::Node probe;
  probe.exec_id = settings.exec_id;
  probe.life = proto::Life(randomToken());
  probe.lease_ms = row->lease_ms;
  const auto seen_at = clock.now();
  static_cast<void>(table.renew(call(), probe));
  const bool may_evict = watch.observe(*row, seen_at);
  reportHolder(*row, watch.unchangedFor(seen_at));
  if (may_evict && table.evict(call(), row->exec_id, row->life, row->renewals)) {
    observability::log(
        Level::kWarn,
        "the life that held this node's id was evicted",
        {{"exec_id", row->exec_id}, {"life", row->life}, {"host", row->host}, {"pid", row->pid}}
    );
    return tryRegister(proto::Life());
  }
  return false;
}

void NodeLease::Impl::reportHolder(const proto::Node& row, Duration unchanged) {
  sampled.log(
      Level::kWarn,
      "this node's id is held by another life, waiting for its lease to end",
      {{"exec_id", row.exec_id},
       {"host", row.host},
       {"pid", row.pid},
       {"life", row.life},
       {"silent_seconds", std::chrono::duration_cast<std::chrono::seconds>(unchanged).count()},
       {"lease_seconds", row.lease_ms / 1000}}
  );
}

Duration NodeLease::Impl::renewRound() {
  proto::Node mine;
  {
    const std::lock_guard guard(mutex);
    if (released) return settings.renew_every;
    mine = self;
  }
  try {
    if (mine.life.value() == 0) {
      // An evicted life joins all its runs before a new one begins.
      if (hooks.num_live_runs && hooks.num_live_runs() > 0) return kSoon;
      if (isWedged()) return kRetryEvery;
      return tryAcquire(rewatch) ? settings.renew_every : kAcquireEvery;
    }
    if (isWedged()) return kRetryEvery;
    DISTTASK_FAILPOINT("executor.renew");
    const auto sent = clock.now();
    if (hooks.modifications) mine.modifications = hooks.modifications();
    if (hooks.reasons) mine.reasons = hooks.reasons();
    if (!table.renew(call(), mine)) {
      becomeEvicted(mine.life);
      return kSoon;
    }
    {
      const std::lock_guard guard(mutex);
      if (self.life != mine.life) return kRetryEvery;
      renewed_at = sent;
      last_error.reset();
      if (risk_told) observability::log(Level::kInfo, "the lease is renewed again", {{"exec_id", mine.exec_id}});
      risk_told = expiry_told = false;
    }
    return describeIfAsked() ? settings.renew_every : std::min<Duration>(kRetryEvery, settings.renew_every);
  } catch (...) {
    if (stopping.token().cancelled()) return kRetryEvery;
    rewatch.reset();
    // While the store is away nothing that waits for it can move.
    polls.restart(clock.now());
    writes.restart(clock.now());
    const auto error = currentError();
    {
      const std::lock_guard guard(mutex);
      last_error = error;
    }
    sampled.log(
        Level::kWarn,
        "the lease could not be renewed, trying again",
        {{"exec_id", mine.exec_id}, {"error", error.message()}, {"code", toString(error.code())}}
    );
    return std::min<Duration>(kRetryEvery, settings.renew_every);
  }
}

bool NodeLease::Impl::describeIfAsked() {
  proto::Node mine;
  std::uint64_t number = 0;
  {
    const std::lock_guard guard(mutex);
    if (described == description) return true;
    mine = self;
    number = description;
  }
  try {
    if (!table.describe(call(), mine)) {
      becomeEvicted(mine.life);
      return false;
    }
  } catch (...) {
    // The renewal itself went through.
    sampled.log(
        Level::kWarn, "the node's row could not be changed, trying again", {{"error", currentError().message()}}
    );
    return false;
  }
  observability::log(
      Level::kInfo,
      "the node's row says what it offers now",
      {{"exec_id", mine.exec_id}, {"scope", mine.role}, {"slots", mine.slots}, {"types", mine.types.size()}}
  );
  const std::lock_guard guard(mutex);
  if (self.life != mine.life) return false;
  described = number;
  return described == description;
}

bool NodeLease::Impl::isWedged() {
  const auto now = clock.now();
  const auto limit = settings.wedged_after > Duration::zero() ? settings.wedged_after : settings.lease / 2;
  const bool polls_stand = hooks.progress && polls.standsFor(hooks.progress(), now) >= limit;
  const bool writes_stand = hooks.writer_progress && writes.standsFor(hooks.writer_progress(), now) >= limit;
  if (!polls_stand && !writes_stand) return false;
  sampled.log(
      Level::kError,
      "a loop of this node stands still, so the lease is not renewed",
      {{"exec_id", settings.exec_id}, {"loop", polls_stand ? "poll" : "writer"}}
  );
  return true;
}

void NodeLease::Impl::becomeEvicted(proto::Life life) {
  {
    const std::lock_guard guard(mutex);
    if (self.life != life) return;  // somebody else of us has noticed it first
    self.life = proto::Life();
  }
  observability::log(
      Level::kError,
      "this life of the node was evicted, its runs are cancelled and a new life begins after them",
      {{"exec_id", settings.exec_id}}
  );
  if (hooks.on_evicted) hooks.on_evicted();
}

void NodeLease::Impl::scheduleWatch() {
  const auto every = std::min<Duration>(std::chrono::seconds(1), settings.lease / 30);
  const std::lock_guard guard(mutex);
  if (released) return;
  // A handler that is just running is not waited for by anyone, so it keeps what it uses.
  watch_timer = timers.after(every, [weak = weak_from_this()] {
    if (const auto lease = weak.lock()) {
      lease->watchOnce();
      lease->scheduleWatch();
    }
  });
}

void NodeLease::Impl::watchOnce() {
  bool risk = false;
  bool expired = false;
  {
    const std::lock_guard guard(mutex);
    if (released) return;
    const auto age = clock.now() - renewed_at;
    risk = age >= settings.lease * 2 / 3 && !risk_told;
    if (risk) {
      risk_told = true;
      risk_told_at = clock.now();
    }
    // Runs that have only just been cancelled get a moment to return, also when the process stood still beyond its
    // lease.
    const auto grace = std::min<Duration>(settings.exit_margin, settings.lease / 15);
    expired = risk_told && age >= settings.lease - settings.exit_margin && clock.now() - risk_told_at >= grace &&
              !expiry_told;
  }
  if (risk) {
    observability::log(
        Level::kWarn,
        "two thirds of the lease have passed without a renewal, runs are cancelled",
        {{"exec_id", settings.exec_id}}
    );
    if (hooks.on_at_risk) hooks.on_at_risk();
  }
  const auto live = hooks.num_live_runs ? hooks.num_live_runs() : 0;
  if (!expired || live == 0) return;
  {
    const std::lock_guard guard(mutex);
    expiry_told = true;
  }
  observability::log(
      Level::kError,
      "the lease ends and runs have not returned, the process must end",
      {{"exec_id", settings.exec_id}, {"live_runs", live}}
  );
  if (hooks.on_expired) hooks.on_expired();
}

NodeLease::NodeLease(
    const LeaseSettings& settings,
    storage::NodeTable& table,
    runtime::Clock& clock,
    runtime::Timers& timers,
    runtime::Pool& ctl
)
    : impl_(std::make_shared<Impl>(settings, table, clock, timers, ctl)) {}

NodeLease::~NodeLease() {
  impl_->stopping.cancel(runtime::CancelCause::kClosed);
  impl_->renewals.stop();
  std::optional<runtime::Timers::TimerId> timer;
  {
    const std::lock_guard guard(impl_->mutex);
    impl_->released = true;
    timer = impl_->watch_timer;
  }
  if (timer) impl_->timers.cancel(*timer);
}

void NodeLease::acquire(const runtime::CancelToken& token, const std::function<void(const std::string&)>& waiting) {
  const auto timeout = impl_->settings.acquire_timeout;
  const runtime::Deadline deadline(impl_->clock, timeout);
  HolderWatch watch;
  runtime::Wakeup pause(impl_->clock);
  for (;;) {
    token.throwIfCancelled();
    std::string why = "the store is not reachable";
    try {
      if (impl_->tryAcquire(watch)) return;
      if (impl_->holder) {
        why = "node id '" + impl_->settings.exec_id + "' is held by process " + std::to_string(impl_->holder->pid) +
              " on host '" + impl_->holder->host + "' (life " + std::to_string(impl_->holder->life.value()) + ")";
      }
    } catch (const Exception& e) {
      if (!healsByWaiting(e.error())) throw;
      watch.reset();
      why = e.error().message();
      impl_->sampled.log(
          Level::kWarn, "node cannot register yet, trying again", {{"error", why}, {"code", toString(e.error().code())}}
      );
    }
    if (timeout > Duration::zero() && deadline.isReached()) throw Exception(ErrorCode::kAlreadyExists, why);
    if (waiting) waiting(why);
    pause.waitFor(token, kAcquireEvery);
  }
}

void NodeLease::start(LeaseHooks hooks) {
  {
    const std::lock_guard guard(impl_->mutex);
    if (std::exchange(impl_->started, true)) return;
  }
  impl_->hooks = std::move(hooks);
  impl_->renewals.start(Duration::zero());
  impl_->scheduleWatch();
}

void NodeLease::describe(
    const std::string& scope, std::int32_t slots, const std::map<std::string, std::string>& types
) {
  {
    const std::lock_guard guard(impl_->mutex);
    impl_->self.role = scope;
    impl_->self.slots = slots;
    impl_->self.types = types;
    ++impl_->description;
  }
  renewSoon();
}

void NodeLease::renewSoon() {
  impl_->renewals.nudge();
}

void NodeLease::takePoll(const storage::NodePoll& seen) {
  proto::Life mine;
  {
    const std::lock_guard guard(impl_->mutex);
    // What was read before this life began shows the one before it.
    if (!impl_->started || impl_->released || seen.began <= impl_->registered_at) return;
    mine = impl_->self.life;
  }
  if (mine.value() == 0 || seen.life == mine) return;
  impl_->becomeEvicted(mine);
  impl_->renewals.nudge();
}

void NodeLease::release() {
  {
    const std::lock_guard guard(impl_->mutex);
    if (std::exchange(impl_->released, true)) return;
  }
  impl_->renewals.stop();
  proto::Node mine;
  {
    const std::lock_guard guard(impl_->mutex);
    mine = impl_->self;
    impl_->self.life = proto::Life();
  }
  if (mine.life.value() == 0) return;
  try {
    const bool ended = impl_->table.release(impl_->call(), mine.exec_id, mine.life);
    observability::log(
        Level::kInfo, ended ? "node released its id" : "node's life was over already", {{"exec_id", mine.exec_id}}
    );
  } catch (...) {
    observability::log(
        Level::kWarn,
        "node could not release its id, its lease ends by itself",
        currentError(),
        {{"exec_id", mine.exec_id}}
    );
  }
}

bool NodeLease::mayStart() const noexcept {
  const std::lock_guard guard(impl_->mutex);
  return impl_->self.life.value() != 0 && impl_->clock.now() - impl_->renewed_at < impl_->settings.lease * 2 / 3;
}

Duration NodeLease::validFor() const noexcept {
  const std::lock_guard guard(impl_->mutex);
  if (impl_->self.life.value() == 0) return Duration::zero();
  return std::max(Duration::zero(), impl_->renewed_at + impl_->settings.lease - impl_->clock.now());
}

std::optional<TimePoint> NodeLease::lastRenewal() const {
  const std::lock_guard guard(impl_->mutex);
  return impl_->self.life.value() == 0 ? std::nullopt : std::optional(impl_->renewed_at);
}

std::optional<Error> NodeLease::lastError() const {
  const std::lock_guard guard(impl_->mutex);
  return impl_->last_error;
}

std::uint64_t NodeLease::numRounds() const {
  return impl_->renewals.numRounds();
}

std::uint64_t NodeLease::progress() const {
  return impl_->renewals.numRounds() + impl_->renewals.numBeats();
}

proto::Node NodeLease::node() const {
  const std::lock_guard guard(impl_->mutex);
  return impl_->self;
}

}  // namespace disttask::executor
