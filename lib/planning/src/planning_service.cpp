#include "disttask/planning/planning_service.hpp"

#include "disttask/observability/log.hpp"
#include "disttask/observability/sampled_log.hpp"
#include "disttask/runtime/periodic.hpp"
#include "plan_job.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <tuple>

namespace disttask::planning {

using observability::Level;
using runtime::CancelCause;

namespace {
using PlanKey = std::tuple<proto::TaskId, storage::PlanKind, proto::Step>;
PlanKey keyOf(const storage::Plan& plan) {
  return {plan.task_id, plan.kind, plan.after_step};
}

/// A plan that could not go on, and until when nobody tries.
struct RestingPlan {
  proto::RunToken token;
  runtime::TimePoint until;
};

/// How often a plan has waited for the store, and when it came to that last.
struct StoreWaits {
  std::uint32_t in_a_row = 0;
  runtime::TimePoint last;
};
constexpr std::chrono::minutes kForgetWaitsAfter{10};

struct RunningPlan {
  proto::RunToken token;
  std::shared_ptr<runtime::CancelSource> source;
};
}  // namespace

struct PlanningService::Impl {
  Impl(const PlanningSettings& settings_in, const PlanningParts& parts_in)
      : settings(settings_in),
        parts(parts_in),
        interval(settings_in.check_interval),
        periodic("planning", parts_in.timers, parts_in.ctl, [this] { return lookByItself(); }) {}

  Duration lookByItself();
  /// Returns whether there are plans; `has_plan` false: it is known that there are none.
  bool look(bool has_plan);
  void startMissing(std::vector<storage::Plan> plans);
  void cancelStale(const std::vector<storage::Plan>& plans);
  void endPlan(const PlanKey& key, proto::RunToken token, bool went_on, bool waits_for_store);

  const PlanningSettings settings;
  const PlanningParts parts;
  runtime::CancelSource source;
  observability::SampledLog sampled{std::chrono::seconds(10)};

  mutable std::mutex mutex;
  std::condition_variable changed;
  // guarded by mutex
  std::map<PlanKey, RunningPlan> running;
  std::map<PlanKey, RestingPlan> resting;
  std::map<PlanKey, StoreWaits> store_waits;
  bool has_started = false;
  bool stopping = false;

  std::mutex look_mutex;  // held by a look; taken before `mutex`
  std::atomic<std::uint64_t> num_looks{0};
  Duration interval;  // touched only by a service that looks by itself
  runtime::Periodic periodic;
};

Duration PlanningService::Impl::lookByItself() {
  interval = look(true) ? settings.check_interval : std::min<Duration>(interval * 2, settings.max_interval);
  return interval;
}

bool PlanningService::Impl::look(bool has_plan) {
  const std::lock_guard looking(look_mutex);
  {
    const std::lock_guard lock(mutex);
    if (!has_started || stopping) return false;
  }
  bool work = true;
  try {
    std::vector<storage::Plan> plans;
    if (has_plan) {
      const storage::Call call{source.token(), runtime::Deadline(parts.clock, settings.call_timeout)};
      plans = parts.plans.getPlansOf(call, settings.exec_id);
    }
    cancelStale(plans);
    work = !plans.empty();
    startMissing(std::move(plans));
  } catch (...) {
    // One bad round must not end the loop.
    if (!source.token().cancelled()) {
      sampled.log(Level::kWarn, "plans of this node could not be read", {{"error", currentError().message()}});
    }
  }
  ++num_looks;
  return work;
}

void PlanningService::Impl::cancelStale(const std::vector<storage::Plan>& plans) {
  std::vector<std::shared_ptr<runtime::CancelSource>> stale;
  {
    const std::lock_guard lock(mutex);
    for (const auto& [key, plan] : running) {
      const bool ours = std::any_of(plans.begin(), plans.end(), [&, k = key, t = plan.token](const auto& listed) {
        return keyOf(listed) == k && listed.token == t;
      });
      if (!ours) stale.push_back(plan.source);
    }
  }
  for (const auto& each : stale) each->cancel(CancelCause::kTaskGone);
}

void PlanningService::Impl::startMissing(std::vector<storage::Plan> plans) {
  for (auto& plan : plans) {
    const auto key = keyOf(plan);
    auto plan_source = std::make_shared<runtime::CancelSource>(source.token());
    std::uint32_t waits = 0;
    {
      const std::lock_guard lock(mutex);
      // A stale job of the same plan ends first; the next look starts the new one.
      const auto rest = resting.find(key);
      if (rest != resting.end() && rest->second.token == plan.token && parts.clock.now() < rest->second.until) continue;
      if (stopping || !running.try_emplace(key, RunningPlan{plan.token, plan_source}).second) continue;
      if (const auto before = store_waits.find(key); before != store_waits.end()) waits = before->second.in_a_row;
    }
    auto job = [this, key, waits, plan_source, plan = std::move(plan)]() mutable {
      const auto token = plan.token;
      PlanJob planning(settings, parts, std::move(plan), plan_source->token(), waits);
      const bool went_on = planning.run();
      plan_source.reset();
      endPlan(key, token, went_on, planning.waitsForStore());
    };
    if (const auto started = parts.work.run(std::move(job)); !started) {
      // All planning threads are busy: the plan waits for a later look.
      const std::lock_guard lock(mutex);
      running.erase(key);
    }
  }
}

void PlanningService::Impl::endPlan(const PlanKey& key, proto::RunToken token, bool went_on, bool waits_for_store) {
  const std::lock_guard lock(mutex);
  const auto now = parts.clock.now();
  std::erase_if(resting, [&](const auto& entry) { return entry.second.until <= now; });
  if (!went_on) resting.insert_or_assign(key, RestingPlan{token, now + settings.max_interval});
  if (waits_for_store) {
    auto& waits = store_waits[key];
    ++waits.in_a_row;
    waits.last = now;
  } else {
    store_waits.erase(key);
  }
  // Those that went to other nodes, or with their tasks.
  std::erase_if(store_waits, [&](const auto& entry) { return now - entry.second.last > kForgetWaitsAfter; });
  running.erase(key);
  changed.notify_all();
}

PlanningService::PlanningService(const PlanningSettings& settings, const PlanningParts& parts)
    : impl_(std::make_unique<Impl>(settings, parts)) {}

PlanningService::~PlanningService() {
  stop();
}

void PlanningService::start() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->has_started = true;
  }
  if (impl_->settings.looks_by_itself) impl_->periodic.start(Duration::zero());
}

bool PlanningService::takePoll(const storage::NodePoll& seen) {
  return impl_->look(seen.has_plan);
}

void PlanningService::nudge() {
  impl_->periodic.nudge();
}

void PlanningService::cancel() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->source.cancel(CancelCause::kShutdown);
}

std::size_t PlanningService::stop(std::optional<Duration> patience) {
  cancel();
  impl_->periodic.stop();
  // A look of somebody's poll that runs now has not seen `stopping`.
  { const std::lock_guard looking(impl_->look_mutex); }
  std::unique_lock lock(impl_->mutex);
  const auto are_over = [this] { return impl_->running.empty(); };
  if (patience) {
    impl_->changed.wait_for(lock, *patience, are_over);
  } else {
    impl_->changed.wait(lock, are_over);
  }
  return impl_->running.size();
}

std::size_t PlanningService::numRunning() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->running.size();
}

std::uint64_t PlanningService::numLooks() const {
  return impl_->num_looks;
}

}  // namespace disttask::planning
