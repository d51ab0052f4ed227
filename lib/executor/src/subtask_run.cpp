#include "subtask_run.hpp"

namespace disttask::executor {

namespace {

/// True for causes after which a store call of the run would only hold it up: the store may be away, and a run that
/// waits for it would look like one that ignores its cancel when the lease ends; or the row is somebody else's.
bool endsCalls(runtime::CancelCause cause) noexcept {
  switch (cause) {
    case runtime::CancelCause::kLeaseLost:
    case runtime::CancelCause::kDeadline:
    case runtime::CancelCause::kClosed:
    case runtime::CancelCause::kSubtaskMoved:
      return true;
    default:
      return false;
  }
}

}  // namespace

SubtaskRun::SubtaskRun(
    NodeServices& node, storage::TaskTable& table, proto::SubtaskId id, bool idempotent, bool on_borrowed_slots
)
    : node_(node),
      table_(table),
      id_(id),
      idempotent_(idempotent),
      on_borrowed_slots_(on_borrowed_slots),
      run_token_(table.liveToken(id)),
      began_at_(node.clock.now()),
      token_(source_.token()),
      calls_(node.vanish.token()) {}

storage::Call SubtaskRun::call() const {
  // Cut off by a cancel: its connection may be mute for longer than is left of the lease.
  return {calls_.token(), runtime::Deadline(node_.clock, node_.settings.call_timeout), true};
}

bool SubtaskRun::sleepFor(runtime::Duration duration) {
  return runtime::Wakeup(node_.clock).waitFor(token_, duration) != runtime::WakeReason::kCancelled;
}

void SubtaskRun::addProgress(std::int64_t rows, std::int64_t bytes, std::int64_t read_bytes) noexcept {
  rows_ += rows;
  bytes_ += bytes;
  read_bytes_ += read_bytes;
}

proto::SubtaskSummary SubtaskRun::progress() const noexcept {
  return {rows_, bytes_, read_bytes_};
}

std::string SubtaskRun::getCheckpoint() {
  try {
    return table_.getSubtaskCheckpoint(call(), id_);
  } catch (...) {
    store_failed_ = true;
    throw;
  }
}

void SubtaskRun::putCheckpoint(const std::string& checkpoint) {
  auto outcome = proto::TransitionOutcome::kLost;
  try {
    // Not the run's own token: a run that is cancelled may still keep how far it came; the run token guards the write.
    outcome = table_.updateSubtaskCheckpoint(call(), node_.settings.exec_id, id_, checkpoint);
  } catch (const Exception& e) {
    if (e.error().code() != ErrorCode::kStoreContent) store_failed_ = true;
    throw;
  }
  if (outcome == proto::TransitionOutcome::kApplied) return;
  interrupt(runtime::CancelCause::kSubtaskMoved);
  throw Exception(ErrorCode::kLost, "the subtask is not ours any more, its checkpoint is dropped");
}

void SubtaskRun::noteLogLine(std::string_view level, std::string_view text) {
  if (node_.run_logs != nullptr && node_.run_logs->isAccepting()) log_.add(node_.clock.now(), level, text);
}

void SubtaskRun::keepLog(bool ordinary) {
  if (!log_.hasNews() || !node_.run_logs->hasRoom(ordinary)) return;
  LoggedRun run;
  run.id = id_;
  run.token = table_.liveToken(id_);  // a checkpoint may have changed it
  log_.takeNews(run);
  node_.run_logs->keep(std::move(run), ordinary);
}

void SubtaskRun::interrupt(runtime::CancelCause cause) noexcept {
  if (!mayInterrupt(cause, idempotent_)) return;
  std::int64_t never = 0;
  cancelled_at_ns_.compare_exchange_strong(never, node_.clock.now().time_since_epoch().count());
  source_.cancel(cause);
  if (endsCalls(cause)) calls_.cancel(cause);  // last: whoever is thrown out of a call finds the cause
}

std::optional<runtime::TimePoint> SubtaskRun::cancelledAt() const noexcept {
  const auto at = cancelled_at_ns_.load();
  return at == 0 ? std::nullopt : std::optional(runtime::TimePoint(runtime::Duration(at)));
}

void SubtaskRun::markReturned() {
  const std::lock_guard lock(looking_);
  returned_ = true;
}

}  // namespace disttask::executor
