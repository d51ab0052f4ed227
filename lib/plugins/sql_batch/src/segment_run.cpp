#include "segment_run.hpp"

#include "chunk_runner.hpp"
#include "disttask/base/random.hpp"
#include "disttask/plugin_common/json_fields.hpp"
#include "disttask/plugin_common/named_lock.hpp"

#include <algorithm>

namespace disttask::sql_batch {
namespace {

// What a run repeats by itself before it gives the subtask back to the framework's own, slower, retries.
constexpr int kMaxConflicts = 12;
constexpr int kHalveAfter = 2;
constexpr int kMaxReconnects = 2;
constexpr std::int64_t kConflictWaitMs = 50;
constexpr std::int64_t kMaxConflictWaitMs = 2000;
constexpr std::int64_t kReconnectWaitMs = 200;
constexpr std::int64_t kThrottleWaitMs = 1000;
// Others may have the gate for long, and what the throttles said is old then: they are asked again.
constexpr int kGateSeconds = 1;
constexpr double kKeepAliveMs = 2000;  // servers end sessions of ours that are idle for ten seconds
constexpr const char* kThrottledBy = "throttled_by";
constexpr const char* kBegun = R"({"begun": true})";
constexpr auto kSayAgain = std::chrono::minutes(1);

double millisecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

// A run that was held up before its first chunk kept only what held it up.
bool has(std::string_view checkpoint, const char* member) {
  if (checkpoint.empty()) return false;
  return plugin_common::parseObject(checkpoint, "checkpoint").find(member) != nullptr;
}

}  // namespace

SegmentRun::SegmentRun(BatchStep& step, sdk::Run& run, const sdk::Subtask& subtask)
    : step_(step),
      run_(run),
      meta_(SegmentMeta::parse(subtask.meta, placeOf(step.options_.work))),
      ordinal_(subtask.ordinal),
      shows_hold_(has(run.checkpoint(), kThrottledBy)),
      begun_(has(run.checkpoint(), "begun")) {}

std::string SegmentRun::work() {
  while (!progress_ || !progress_->done) {
    waitForLeave();
    std::int64_t wait = 0;
    try {
      chunk();
      continue;
    } catch (const Exception& exception) {
      wait = waitAfter(exception);
    }
    // Also after a commit whose outcome is unknown: the ledger's row decides.
    progress_.reset();
    run_.sleep(1 + wait / 2 + static_cast<std::int64_t>(randomBelow(static_cast<std::uint64_t>(wait / 2 + 1))));
  }
  return result();
}

// Holds no session meanwhile: a window may be closed for a day.
void SegmentRun::waitForLeave() {
  std::string said;
  std::chrono::steady_clock::time_point said_at;
  for (;;) {
    const auto reason = step_.throttle_.reasonToWait(run_, meta_.place.connection);
    if (!reason) break;
    const std::string kind = reason->substr(0, reason->find(':'));
    if (kind != said || std::chrono::steady_clock::now() - said_at > kSayAgain) {
      run_.log(sdk::LogLevel::kInfo, "waits: " + *reason);
      Json shown;
      if (begun_) shown["begun"] = true;
      shown[kThrottledBy] = *reason;
      run_.putCheckpoint(shown.dump());
      shows_hold_ = true;
      said = kind;
      said_at = std::chrono::steady_clock::now();
    }
    run_.sleep(kThrottleWaitMs);
  }
  if (!said.empty()) run_.log(sdk::LogLevel::kInfo, "goes on; " + said + " allows it");
  // Also what an earlier run left there: it was stopped while it waited.
  if (shows_hold_) run_.putCheckpoint(begun_ ? kBegun : "{}");
  shows_hold_ = false;
}

void SegmentRun::readProgress(BatchSession& session) {
  const auto& ledger = session.ledger();
  progress_ = ledger.read(session.connection(), step_.task_, ordinal_);
  if (!progress_) {
    // The checkpoint stands in the store, the row on the target: a row that was there and is gone may not begin anew.
    if (begun_) {
      throw Exception(
          ErrorCode::kPrecondition,
          "the ledger row of subtask " + std::to_string(ordinal_) +
              " went away; which of its rows are done is not known any more"
      );
    }
    ledger.begin(session.connection(), step_.task_, ordinal_);
    progress_ = ledger.read(session.connection(), step_.task_, ordinal_);
    if (!progress_) throw Exception(ErrorCode::kStoreConflict, "the ledger row of the subtask went away");
  }
  if (!begun_) run_.putCheckpoint(kBegun);
  begun_ = true;
}

void SegmentRun::chunk() {
  const auto check = [this] { run_.throwIfCancelled(); };
  BatchSession session(run_, *step_.sessions_, meta_.place);
  if (!note_) {
    note_ = step_.prepare(run_, session);
    statement_ = parseStatement(note_->work.statement, note_->work.table);
    archive_ = makeArchive(run_, *step_.sessions_, step_.config_, *note_, step_.task_, ordinal_, session);
  }
  if (!progress_) {
    readProgress(session);
    report();  // what former runs did is the subtask's, too
  }
  if (!progress_->done && archive_) {
    if (const std::string file = archive_->newFile(*progress_); !file.empty()) {
      progress_ = session.ledger().noteFile(session.connection(), step_.task_, ordinal_, file);
    }
  }
  if (progress_->done) return;
  std::optional<plugin_common::NamedLock> gate;
  if (step_.one_at_a_time_) {
    const std::string subject = session.ledger().storeId() + "/" + std::to_string(step_.task_);
    gate.emplace(session.connection(), plugin_common::lockName("disttask_batch_", subject), kGateSeconds, check);
    if (!gate->isIn()) {
      sayWaitsForTurn();
      return;
    }
  }
  const std::int64_t rows = step_.size_.rows();
  const auto begin = std::chrono::steady_clock::now();
  const ChunkJob job{note_->key, *statement_, session.ledger(), step_.task_, ordinal_, meta_, archive_.get()};
  auto moved = runChunk(session.connection(), job, *progress_, rows, check);
  if (!moved) {
    progress_.reset();  // another run of this subtask is at work, or was
    return;
  }
  const double ms = millisecondsSince(begin);
  const std::int64_t walked = moved->walked - progress_->walked;
  progress_ = std::move(moved);
  conflicts_ = 0;
  reconnects_ = 0;
  report();
  step_.size_.took(walked, ms, step_.throttle_.options().chunk_time_ms);
  step_.noteProgress(run_, session);
  pause(session.connection(), ms);
}

// Not in the checkpoint: it is nothing that anybody has to change.
void SegmentRun::sayWaitsForTurn() {
  const auto now = std::chrono::steady_clock::now();
  if (said_turn_at_ && now - *said_turn_at_ < kSayAgain) return;
  said_turn_at_ = now;
  run_.log(sdk::LogLevel::kInfo, "waits for its turn: the task works on one chunk at a time in the whole cluster");
}

// Only what is committed counts: counters cannot be taken back.
void SegmentRun::report() {
  run_.addProgress(progress_->walked - reported_);
  reported_ = progress_->walked;
}

// Within the gate: the pause is the whole task's. Also behind the last chunk of a subtask, which may be its only one,
// but nobody waits for the task's last one.
void SegmentRun::pause(sqlclient::Connection& connection, double chunk_ms) {
  if (progress_->done && isLast()) return;
  double slept = 0;
  // Asked for each slice: a new meta may end a pause that is under way.
  const auto left = [&] { return chunk_ms * step_.throttle_.options().sleep_ratio - slept; };
  while (left() >= 1) {
    const double slice = std::min(left(), kKeepAliveMs);
    run_.sleep(static_cast<std::int64_t>(slice));
    slept += slice;
    if (left() >= 1 && !connection.ping()) return;
  }
}

std::int64_t SegmentRun::waitAfter(const Exception& exception) {
  const ErrorCode code = exception.error().code();
  if ((code == ErrorCode::kStoreConflict || code == ErrorCode::kStoreKilled) && ++conflicts_ <= kMaxConflicts) {
    if (conflicts_ >= kHalveAfter) step_.size_.halve();
    return std::min(kConflictWaitMs << std::min(conflicts_, 6), kMaxConflictWaitMs);
  }
  if (code == ErrorCode::kStoreUnavailable) {
    // Servers end a session that is idle within its transaction for ten seconds: the archive of a smaller chunk is
    // quicker. Also for the run after this one.
    step_.size_.halve();
    if (++reconnects_ <= kMaxReconnects) return kReconnectWaitMs * reconnects_;
  }
  throw;
}

bool SegmentRun::isLast() const {
  return note_ && meta_.range.upto == note_->last;
}

std::string SegmentRun::result() const {
  SegmentResult result;
  result.rows = progress_->walked;
  result.changed = progress_->changed;
  result.chunks = progress_->chunks;
  result.last = isLast();
  if (result.last) result.maximum = display(note_->key, note_->last);
  for (const auto& [name, length] : progress_->files) {
    if (length != 0) result.files[name] = length;  // it may not have come to a row
  }
  return result.dump();
}

}  // namespace disttask::sql_batch
