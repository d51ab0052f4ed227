#include "ownership.hpp"

#include "disttask/observability/log.hpp"

#include <utility>

namespace disttask::scheduler {

using observability::Level;
using observability::log;

Ownership::Ownership(
    storage::SchedulerTable& table, runtime::Clock& clock, const SchedulerSettings& settings, proto::ExecId exec_id
)
    : table_(table),
      clock_(clock),
      settings_(settings),
      exec_id_(std::move(exec_id)),
      observer_(maxGap(settings.lease)) {}

bool Ownership::isOwner() const noexcept {
  const auto until = acts_until_.load();
  return until != 0 && clock_.now().time_since_epoch().count() < until;
}

std::optional<proto::Life> Ownership::update(
    const runtime::Call& call, std::optional<runtime::TimePoint> last_renewal, const std::vector<OwnerReading>& readings
) {
  if (life_ == proto::Life()) return follow(call, last_renewal, readings);
  // A quarter earlier, since rounds come when they come: the pause between two renewals stays below maxGap.
  const bool due = !last_confirmed_ || clock_.now() - *last_confirmed_ >= settings_.renew_interval * 3 / 4;
  // A store that just refused a renewal is not asked again for each task of a round.
  const bool is_too_soon = last_refused_ && clock_.now() - *last_refused_ < settings_.renew_interval / 8;
  // A lease that ran out here may still be ours in the store: a renewal that matches revives it.
  if ((due && !is_too_soon) || !isOwner()) {
    if (!renew(call)) {
      log(Level::kWarn, "scheduler role was taken by another node", {{"exec_id", exec_id_}});
      lose();
      return std::nullopt;
    }
  }
  return isOwner() ? std::optional(life_) : std::nullopt;
}

bool Ownership::renew(const runtime::Call& call) {
  const auto sent = clock_.now();
  try {
    if (!table_.renewOwnership(call, life_)) return false;
  } catch (const Exception& e) {
    // The next round tries again; until two thirds of the lease are over the role is still ours.
    if (!isOwner()) throw;
    last_refused_ = clock_.now();
    log(Level::kWarn, "scheduler role could not be renewed", e.error(), {{"exec_id", exec_id_}});
    return true;
  }
  last_confirmed_ = clock_.now();
  last_refused_.reset();
  acts_until_ = (sent + settings_.lease * 2 / 3).time_since_epoch().count();
  return true;
}

OwnerReading Ownership::read(const runtime::Call& call) {
  OwnerReading reading;
  reading.began = clock_.now();
  reading.owner = table_.getOwner(call);
  reading.ended = clock_.now();
  return reading;
}

std::optional<proto::Life> Ownership::follow(
    const runtime::Call& call, std::optional<runtime::TimePoint> last_renewal, const std::vector<OwnerReading>& readings
) {
  // Each reading counts once: an old one says nothing about how long the holder has been silent since.
  const bool has_news = !readings.empty() && readings.back().began > last_reading_;
  const auto last = has_news ? readings.back() : read(call);
  const auto& owner = last.owner;
  if (owner.life == proto::Life()) return take(call, owner, "nobody had it");
  // A node that lives under this id is this process and no other (design rule 5), so the life in the row is that of a
  // process which has ended.
  if (owner.exec_id == exec_id_ && last_renewal) return take(call, owner, "a former process of this node had it");
  if (last_renewal) observer_.confirmWrite(*last_renewal);
  if (has_news) {
    // An earlier one may have been the first to show the renewal since which the holder is silent.
    for (auto each = readings.begin(); each != readings.end() - 1; ++each) {
      if (each->began > last_reading_) (void)isOver(*each);
    }
  }
  const bool is_over = isOver(last);
  last_reading_ = last.began;
  is_holder_silent_ = observer_.silenceOf(owner.exec_id, last.began) > maxGap(settings_.lease);
  holder_expiry_ = observer_.expiryOf(owner.exec_id, settings_.lease);
  return is_over ? take(call, owner, "its holder did not renew it") : std::nullopt;
}

bool Ownership::isOver(const OwnerReading& reading) {
  const auto& owner = reading.owner;
  return !observer_
              .observe({{owner.exec_id, owner.life, owner.renewals, settings_.lease}}, reading.began, reading.ended)
              .empty();
}

std::optional<proto::Life> Ownership::take(
    const runtime::Call& call, const storage::Owner& observed, std::string_view why
) {
  const auto sent = clock_.now();
  const auto life = table_.takeOwnership(call, exec_id_, observed);
  if (!life) return std::nullopt;
  life_ = *life;
  acting_life_ = life->value();
  last_confirmed_ = clock_.now();
  is_holder_silent_ = false;
  acts_until_ = (sent + settings_.lease * 2 / 3).time_since_epoch().count();
  log(Level::kInfo,
      "scheduler role taken",
      {{"exec_id", exec_id_}, {"former", observed.exec_id}, {"term", observed.term + 1}, {"reason", why}});
  return isOwner() ? life : std::nullopt;
}

std::optional<proto::Life> Ownership::actingLife() const noexcept {
  const proto::Life life(acting_life_);
  return isOwner() ? std::optional(life) : std::nullopt;
}

void Ownership::lose() noexcept {
  life_ = proto::Life();
  acts_until_ = 0;
}

bool Ownership::release(const runtime::Call& call) {
  if (life_ == proto::Life()) return false;
  const auto life = std::exchange(life_, proto::Life());
  acts_until_ = 0;
  const bool released = table_.releaseOwnership(call, life);
  if (released) log(Level::kInfo, "scheduler role given up", {{"exec_id", exec_id_}});
  return released;
}

}  // namespace disttask::scheduler
