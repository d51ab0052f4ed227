#include "disttask/scheduler/scheduler_service.hpp"

#include "clean_ups.hpp"
#include "disttask/base/failpoint.hpp"
#include "disttask/observability/log_context.hpp"
#include "disttask/observability/sampled_log.hpp"
#include "disttask/runtime/periodic.hpp"
#include "disttask/scheduler/slot_reservation.hpp"
#include "liveness.hpp"
#include "ownership.hpp"
#include "subtask_mover.hpp"
#include "task_scheduler.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <utility>

namespace disttask::scheduler {

namespace {

using observability::Level;
using observability::log;
using proto::TaskState;

/// While tasks are at work the next look comes after this part of the time since the last change: what goes quickly is
/// seen quickly.
constexpr int kLookShare = 8;
/// What a round has for tasks that wait behind many others, and which part of the time that may take.
constexpr std::chrono::milliseconds kLookFurther{100};
constexpr int kLookFurtherShare = 10;
constexpr std::chrono::milliseconds kShortestPause{50};
constexpr std::chrono::seconds kReleaseLimit{5};
/// The longest pause between two looks of a follower at the owner: what is given up while its hint gets lost must not
/// lie there for long.
constexpr std::chrono::seconds kLongestFollowPause{3};
/// In a long round the owner looks at the nodes again after this time, and begins another one when they have changed:
/// who joins must not wait for all tasks' turns. Not more often than the latter, or tasks of low rank would never have
/// theirs while many nodes join.
constexpr std::chrono::milliseconds kLookAgain{250};
constexpr std::chrono::seconds kCutShortEvery{1};
/// Polls of a node between two of its rounds are fewer than this by far.
constexpr std::size_t kMaxReadings = 16;
/// How many followers are told of a renewal: any of them may take the role, and all at once would ask the store at
/// once.
constexpr std::size_t kMaxTold = 8;

/// Rounds must come often enough, also with a short lease, that no pause between renewals breaks the observations.
SchedulerSettings fitted(SchedulerSettings settings) {
  settings.renew_interval = std::min(settings.renew_interval, settings.lease / 4);
  settings.idle_interval = std::min(settings.idle_interval, settings.lease / 12);
  settings.busy_interval = std::min(settings.busy_interval, settings.idle_interval);
  return settings;
}

/// Fills what a caller may leave out.
SchedulerDeps withDefaults(SchedulerDeps deps) {
  if (!deps.nudge) deps.nudge = [](const auto&) {};
  if (!deps.tell_renewal) deps.tell_renewal = [](const auto&) {};
  if (!deps.last_renewal) deps.last_renewal = [] { return std::nullopt; };
  return deps;
}

}  // namespace

class SchedulerService::Impl {
 public:
  Impl(SchedulerDeps deps, SchedulerSettings settings)
      : deps_(withDefaults(std::move(deps))),
        settings_(fitted(settings)),
        max_tasks_at_once_(settings.max_tasks_at_once),
        ownership_(deps_.scheduler, deps_.clock, settings_, deps_.exec_id),
        liveness_(deps_.nodes, deps_.scheduler, deps_.clock, settings_.lease),
        tasks_(deps_.scheduler),
        mover_(deps_.scheduler),
        clean_ups_(deps_.scheduler),
        periodic_("scheduler", deps_.timers, deps_.pool, [this] { return runRound(); }) {}

  void start() {
    if (settings_.enabled) periodic_.start(runtime::Duration::zero());
  }

  void stop() {
    stopping_.cancel(runtime::CancelCause::kShutdown);
    periodic_.stop();
    try {
      // Those who follow see it at once.
      if (ownership_.release({{}, runtime::Deadline(deps_.clock, kReleaseLimit)})) deps_.nudge(others_);
    } catch (const Exception& e) {
      // Another node takes the role when its lease has run out.
      log(Level::kWarn, "scheduler role could not be given up", e.error(), {{"exec_id", deps_.exec_id}});
    }
  }

  void setMaxTasksAtOnce(std::int32_t max_tasks) {
    max_tasks_at_once_ = max_tasks;
    nudge();
  }

  void nudge() {
    is_early_ = true;
    periodic_.nudge();
  }

  void takePoll(const storage::NodePoll& seen) {
    {
      const std::lock_guard lock(reading_mutex_);
      if (readings_.size() == kMaxReadings) readings_.erase(readings_.begin());
      readings_.push_back({seen.owner, seen.began, seen.ended});
    }
    if (settings_.enabled && seen.owner.life == proto::Life() && !isOwner()) periodic_.nudge();
  }

  void noteTold() { is_told_ = true; }

  [[nodiscard]] bool isOwner() const noexcept { return ownership_.isOwner(); }
  [[nodiscard]] std::optional<proto::Life> ownerLife() const noexcept { return ownership_.actingLife(); }
  [[nodiscard]] BalanceFigures balance() const {
    const std::lock_guard lock(figures_mutex_);
    return isOwner() ? figures_ : BalanceFigures{0, {}, figures_.moved};
  }
  [[nodiscard]] std::uint64_t numRounds() const { return periodic_.numRounds(); }

  runtime::Duration runRound() {
    try {
      return actOrFollow();
    } catch (...) {
      const auto error = currentError();
      if (error.code() == ErrorCode::kLost) {
        log(Level::kWarn, "scheduler role was lost", error, {{"exec_id", deps_.exec_id}});
        ownership_.lose();
      } else if (error.code() != ErrorCode::kCancelled) {
        failures_.log(
            Level::kWarn, "scheduler round failed", {{"error", error.message()}, {"code", toString(error.code())}}
        );
      }
      return settings_.idle_interval;
    }
  }

 private:
  [[nodiscard]] runtime::Call call() const {
    return {stopping_.token(), runtime::Deadline(deps_.clock, settings_.call_limit)};
  }

  /// Renews the role, or looks at who holds it.
  std::optional<proto::Life> updateOwnership() {
    std::vector<OwnerReading> readings;
    {
      const std::lock_guard lock(reading_mutex_);
      readings.swap(readings_);
    }
    const auto owner = ownership_.update(call(), deps_.last_renewal(), readings);
    if (owner) tellRenewal();
    return owner;
  }

  /// Tells the followers of the last renewal, once; also of the one that took the role, as soon as they are known.
  void tellRenewal() {
    const auto at = ownership_.lastConfirmed();
    if (at == told_at_ || followers_.empty()) return;
    deps_.tell_renewal(followers_);
    told_at_ = at;
  }

  /// One look at the owner, and if it is this node, one turn of its work.
  runtime::Duration actOrFollow() {
    const bool is_early = is_early_.exchange(false);
    const auto owner = updateOwnership();
    if (!owner) return follow(is_early);
    confirmWrites();
    const auto placement = liveness_.look(call(), true);
    nodes_seen_ = deps_.clock.now();
    noteOthers(placement);
    tellRenewal();
    Round round{settings_, deps_.clock, stopping_.token(), *owner, placement, deps_.nudge, is_early};
    bool changed = liveness_.releaseRows(round, [this] { return updateOwnership().has_value(); }) > 0;
    bool is_at_work = false;
    lead(round, changed, is_at_work);
    clean_ups_.run(round);
    return pause(changed, is_at_work);
  }

  /// What a follower does besides watching the owner: a look at the nodes now and then, so that those who died with a
  /// dead owner are not waited for twice; more often when the owner is silent, and after each renewal that this node
  /// was told of. The pause is shorter than that between this node's own renewals by far: two of them between two
  /// rounds would look like a gap. Looks at all nodes do not come as often as those at the owner, where all followers
  /// make them: few are told.
  runtime::Duration follow(bool is_early) {
    const bool is_silent = ownership_.isHolderSilent();
    confirmWrites();
    const auto now = deps_.clock.now();
    const bool is_told = is_told_.exchange(false);
    if (is_silent || is_told || (!is_early && now - last_look_ >= settings_.lease / 2)) {
      liveness_.look(call(), false);
      last_look_ = now;
    }
    if (!is_silent) return std::min<runtime::Duration>(settings_.lease / 6, kLongestFollowPause);
    // The look that may take the role comes just when it may.
    const auto until_expired = ownership_.holderExpiry().value_or(now) - now;
    const runtime::Duration pause = settings_.lease / 30;
    return until_expired > runtime::Duration::zero() ? std::min(pause, until_expired) : pause;
  }

  void noteOthers(const Placement& placement) {
    others_.clear();
    followers_.clear();
    for (const auto& node : placement.nodes()) {
      if (node.life == proto::Life() || node.exec_id == deps_.exec_id) continue;
      others_.push_back(node.exec_id);
      if (followers_.size() < kMaxTold) followers_.push_back(node);
    }
  }

  void confirmWrites() {
    if (const auto at = ownership_.lastConfirmed()) liveness_.confirmWrite(*at);
    if (const auto at = deps_.last_renewal()) liveness_.confirmWrite(*at);
  }

  /// What a round has given to tasks so far.
  struct Lead {
    SlotReservation reservation;
    std::int32_t places = 0;
    bool changed = false;
    bool is_at_work = false;
  };

  /// Looks at all tasks that were begun and at the first pending ones. Those may all wait for a node: while there is
  /// a place left, a round looks further back.
  void lead(Round& round, bool& changed, bool& is_at_work) {
    const auto first = deps_.scheduler.getUnfinishedTasks(call(), settings_.max_pending_looked);
    std::set<proto::TaskId> known;
    std::set<proto::TaskId> running;
    std::set<proto::TaskId> begun;
    for (const auto& task : first) {
      known.insert(task.id);
      if (task.state == TaskState::kRunning) running.insert(task.id);
      if (task.state != TaskState::kPending) begun.insert(task.id);
    }
    mover_.begin(running, begun);
    tasks_.keepOnly(known);
    Lead lead{reserve(round, first)};
    readLooks(round, first);
    const bool goes_on = leadTasks(round, first, lead, true) && lookFurther(round, first, known, lead);
    changed |= lead.changed;
    is_at_work |= lead.is_at_work;
    if (!goes_on) return;
    changed |= mover_.hasLeft();
    const std::lock_guard lock(figures_mutex_);
    figures_ = mover_.figures();
  }

  void readLooks(Round& round, const std::vector<proto::TaskBase>& tasks) {
    round.looks = deps_.scheduler.lookAtTasks(call(), tasks);
    for (const auto& [id, look] : round.looks) {
      if (!look.may_have_handed_back) round.without_handed_back.insert(id);
    }
  }

  /// Gives pending tasks behind the first ones their turn, as far back as a part of the time goes. The next round
  /// begins where this one ended, or, when some have taken a place, behind the first ones again: who was passed over
  /// meanwhile may have what it waits for. False: the round is over.
  bool lookFurther(
      Round& round, const std::vector<proto::TaskBase>& first, const std::set<proto::TaskId>& known, Lead& lead
  ) {
    const auto begin = deps_.clock.now();
    if (begin < may_look_further_) return true;
    const auto last = lastLookedAt(first);
    const auto places = lead.places;
    auto behind = std::exchange(looked_up_to_, std::nullopt);
    if (last && (!behind || outranks(*behind, *last))) behind = last;
    bool is_end = !last;
    while (!is_end && lead.places < max_tasks_at_once_ && deps_.clock.now() - begin < kLookFurther) {
      auto more = deps_.scheduler.getPendingTasksBehind(call(), behind->id, settings_.max_pending_looked);
      is_end = more.size() < static_cast<std::size_t>(settings_.max_pending_looked);
      if (!more.empty()) behind = more.back();
      // Those that are being planned had their turn.
      std::erase_if(more, [&](const auto& task) { return known.contains(task.id); });
      for (const auto& task : more) round.looks[task.id];  // none of them has a plan, or rows
      if (!leadTasks(round, more, lead, false)) return false;
    }
    if (!is_end && lead.places == places) looked_up_to_ = behind;
    const auto now = deps_.clock.now();
    may_look_further_ = now + (now - begin) * kLookFurtherShare;
    return true;
  }

  /// Gives each task its turn, highest rank first; false: the round is over. A task whose turn fails is tried again in
  /// the next round, and the others go on; a lost role, a cancelled round and a store that is away end the round.
  bool leadTasks(Round& round, const std::vector<proto::TaskBase>& tasks, Lead& lead, bool is_noted) {
    for (const auto& task : tasks) {
      if (!updateOwnership()) return false;
      stopping_.token().throwIfCancelled();
      if (haveNodesChanged(round)) {
        lead.changed = true;
        return false;
      }
      try {
        DISTTASK_FAILPOINT("scheduler.task");
        const bool has_place = lead.places < max_tasks_at_once_;
        const auto admission = has_place ? admit(round, task, lead.reservation) : Admission::kNoPlace;
        const auto result = tasks_.run(round, task, admission, is_noted);
        lead.places += result.takes_place ? 1 : 0;
        lead.changed |= result.changed;
        lead.is_at_work |= result.is_at_work;
        if (result.state == TaskState::kRunning) lead.changed |= mover_.run(round, task);
      } catch (const Exception& e) {
        if (endsRound(e.error())) throw;
        const auto fields = observability::taskFields(task);
        const observability::LogContext context(fields);
        task_failures_.logFor(
            std::to_string(task.id.value()),
            Level::kWarn,
            "scheduling of a task failed; tried again",
            {{"task_id", task.id}, {"error", e.error().message()}, {"code", toString(e.error().code())}}
        );
        lead.is_at_work = true;
      }
    }
    return true;
  }

  /// Returns the pending task that a look at the first ones ended with; nothing when it saw all of them.
  [[nodiscard]] std::optional<proto::TaskBase> lastLookedAt(const std::vector<proto::TaskBase>& tasks) const {
    auto left = settings_.max_pending_looked;
    for (const auto& task : tasks) {
      if (task.state == TaskState::kPending && --left == 0) return task;
    }
    return std::nullopt;
  }

  bool haveNodesChanged(const Round& round) {
    const auto now = deps_.clock.now();
    if (now - nodes_seen_ < kLookAgain || (last_cut_ && now - *last_cut_ < kCutShortEvery)) return false;
    nodes_seen_ = now;
    if (liveness_.look(call(), true).fingerprint() == round.placement.fingerprint()) return false;
    last_cut_ = now;
    return true;
  }

  /// Begins a round's reservation with what the rows of each task take.
  [[nodiscard]] SlotReservation reserve(const Round& round, const std::vector<proto::TaskBase>& tasks) const {
    SlotReservation reservation;
    for (const auto& node : round.placement.nodes()) {
      if (node.life != proto::Life()) reservation.addNode(node.exec_id, node.slots);
    }
    for (const auto& task : tasks) {
      for (const auto& exec_id : mover_.holdersOf(task.id)) reservation.noteUse(exec_id, task.id, task.slots);
    }
    return reservation;
  }

  /// Tasks that only end need no slots.
  [[nodiscard]] Admission admit(const Round& round, const proto::TaskBase& task, SlotReservation& reservation) const {
    const bool needs_slots =
        task.state == TaskState::kPending || task.state == TaskState::kRunning || task.state == TaskState::kResuming;
    if (!needs_slots) return Admission::kAdmitted;
    const auto& holders = mover_.holdersOf(task.id);
    const auto nodes = round.placement.eligible(task, {holders.begin(), holders.end()});
    // Without a node that fits it waits for one, and says so.
    return nodes.empty() || reservation.admit(task.id, task.slots, nodes) ? Admission::kAdmitted : Admission::kNoSlots;
  }

  runtime::Duration pause(bool changed, bool is_at_work) {
    const auto now = deps_.clock.now();
    if (changed) last_change_ = now;
    if (!is_at_work) return settings_.idle_interval;
    const auto shortest = std::min<runtime::Duration>(kShortestPause, settings_.busy_interval);
    return std::clamp<runtime::Duration>((now - last_change_) / kLookShare, shortest, settings_.busy_interval);
  }

  const SchedulerDeps deps_;
  const SchedulerSettings settings_;
  std::atomic<std::int32_t> max_tasks_at_once_;  // the present one of settings_
  runtime::CancelSource stopping_;
  std::atomic<bool> is_early_{false};
  std::atomic<bool> is_told_{false};
  mutable std::mutex reading_mutex_;
  std::vector<OwnerReading>
      readings_;  ///< of the node's polls since the last round, in order; guarded by reading_mutex_
  mutable std::mutex figures_mutex_;
  BalanceFigures figures_;  ///< guarded by figures_mutex_
  Ownership ownership_;

  // touched by rounds only
  Liveness liveness_;
  TaskScheduler tasks_;
  SubtaskMover mover_;
  CleanUps clean_ups_;
  runtime::TimePoint last_change_{};
  runtime::TimePoint nodes_seen_{};  ///< by this round
  runtime::TimePoint may_look_further_{};
  std::optional<proto::TaskBase> looked_up_to_;  ///< a pending task; behind it the next round looks further
  std::optional<runtime::TimePoint> last_cut_;   ///< a round that ended early, since the nodes had changed
  runtime::TimePoint last_look_{};               ///< at all nodes, as a follower
  std::vector<proto::ExecId> others_;            ///< other live nodes, as of the last round as owner
  std::vector<proto::Node> followers_;           ///< those of them that are told of renewals
  std::optional<runtime::TimePoint> told_at_;
  observability::SampledLog failures_{std::chrono::seconds(30)};
  observability::SampledLog task_failures_{std::chrono::seconds(30)};

  runtime::Periodic periodic_;  // last: its rounds use the members above
};

SchedulerService::SchedulerService(SchedulerDeps deps, SchedulerSettings settings)
    : impl_(std::make_unique<Impl>(std::move(deps), settings)) {}
SchedulerService::~SchedulerService() {
  stop();
}

void SchedulerService::start() {
  impl_->start();
}
void SchedulerService::stop() {
  impl_->stop();
}
void SchedulerService::takePoll(const storage::NodePoll& seen) {
  impl_->takePoll(seen);
}
void SchedulerService::setMaxTasksAtOnce(std::int32_t max_tasks) {
  impl_->setMaxTasksAtOnce(max_tasks);
}
void SchedulerService::nudge() {
  impl_->nudge();
}
void SchedulerService::noteTold() {
  impl_->noteTold();
}
bool SchedulerService::isOwner() const noexcept {
  return impl_->isOwner();
}
std::optional<proto::Life> SchedulerService::ownerLife() const noexcept {
  return impl_->ownerLife();
}
BalanceFigures SchedulerService::balance() const {
  return impl_->balance();
}
std::uint64_t SchedulerService::numRounds() const {
  return impl_->numRounds();
}
runtime::Duration SchedulerService::runRoundForTest() {
  return impl_->runRound();
}

}  // namespace disttask::scheduler
