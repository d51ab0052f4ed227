#include "disttask/executor/run_log_writer.hpp"

#include "disttask/base/random.hpp"
#include "disttask/executor/node_services.hpp"
#include "disttask/runtime/backoff.hpp"

#include <algorithm>

namespace disttask::executor {

namespace {

using observability::Level;

/// Until somebody has something to write, and between looks for what is old.
constexpr runtime::Duration kIdle = std::chrono::hours(1);
constexpr std::int32_t kForgetAtOnce = 500;
constexpr runtime::Duration kCallLimit = std::chrono::seconds(3);
constexpr runtime::Duration kStopLimit = std::chrono::seconds(1);
/// What only a person can change (no such table, no right to it) is looked at again after this.
constexpr runtime::Duration kClosedFor = std::chrono::minutes(1);
constexpr runtime::BackoffPolicy kPause{std::chrono::seconds(1), std::chrono::seconds(30), 0.2};

bool isRefusal(ErrorCode code) {
  return code == ErrorCode::kStoreSchema || code == ErrorCode::kStoreNoPrivilege;
}

}  // namespace

RunLogWriter::RunLogWriter(
    NodeServices& node, storage::RunLogTable& table, runtime::Timers& timers, runtime::Pool& pool
)
    : node_(node), table_(table), periodic_("run-log", timers, pool, [this] { return runRound(); }) {}

void RunLogWriter::start() {
  periodic_.start(kIdle);
}

void RunLogWriter::stop() {
  periodic_.stop();
  const runtime::Deadline limit(node_.clock, kStopLimit);
  while (!limit.isReached()) {
    const auto batch = takeBatch();
    if (batch.empty()) return;
    try {
      write(batch, limit.left());
    } catch (...) {  // the process ends; its log has the lines
      leaveOut(batch.size());
      break;
    }
  }
  const std::lock_guard lock(mutex_);
  leaveOut(queue_.size());
  queue_.clear();
  places_.clear();
  num_ordinary_ = 0;
}

bool RunLogWriter::isAccepting() const noexcept {
  return node_.clock.now().time_since_epoch().count() >= closed_until_ns_;
}

bool RunLogWriter::hasRoom(bool ordinary) {
  const std::lock_guard lock(mutex_);
  const bool has_room = ordinary ? num_ordinary_ < kMaxOrdinary && queue_.size() < kMaxQueued
                                 : queue_.size() < kMaxQueued || num_ordinary_ > 0;
  if (!has_room) leaveOut(1);
  return has_room;
}

void RunLogWriter::keep(LoggedRun run, bool ordinary) {
  bool wakes = false;
  {
    const std::lock_guard lock(mutex_);
    if (const auto old = places_.find(run.id); old != places_.end()) eraseLocked(queue_.find(old->second));
    if (queue_.size() >= kMaxQueued) {
      // Others came since the look at the room; the youngest ordinary one makes place.
      leaveOut(1);
      const auto last = std::prev(queue_.end());
      if (ordinary || !last->first.first) return;
      eraseLocked(last);
    }
    const Place place{ordinary, next_number_++};
    places_.emplace(run.id, place);
    queue_.emplace(place, std::move(run));
    if (ordinary) ++num_ordinary_;
    wakes = !std::exchange(awake_, true);
  }
  if (wakes) periodic_.nudge();
}

void RunLogWriter::eraseLocked(std::map<Place, LoggedRun>::iterator at) {
  if (at->first.first) --num_ordinary_;
  places_.erase(at->second.id);
  queue_.erase(at);
}

void RunLogWriter::leaveOut(std::size_t count) noexcept {
  node_.counters.run_logs_left_out += static_cast<std::int64_t>(count);
}

std::vector<LoggedRun> RunLogWriter::takeBatch() {
  std::vector<LoggedRun> batch;
  const std::lock_guard lock(mutex_);
  while (!queue_.empty() && batch.size() < storage::kMaxRunLogs) {
    const auto first = queue_.begin();
    batch.push_back(std::move(first->second));  // which leaves the id
    eraseLocked(first);
  }
  if (batch.empty()) awake_ = false;
  return batch;
}

void RunLogWriter::write(const std::vector<LoggedRun>& batch, runtime::Duration limit) {
  const auto now = node_.clock.now();
  std::vector<storage::RunLog> logs;
  logs.reserve(batch.size());
  for (const auto& run : batch) {
    auto& log = logs.emplace_back();
    log.subtask_id = run.id;
    log.token = run.token;
    log.num_earlier = run.num_earlier;
    for (const auto& line : run.lines) {
      const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - line.at);
      log.lines.push_back({std::max(age, std::chrono::milliseconds(0)), line.level, line.text});
    }
  }
  table_.writeLogs({node_.vanish.token(), runtime::Deadline(node_.clock, limit)}, node_.settings.exec_id, logs);
  node_.counters.run_logs_written += static_cast<std::int64_t>(batch.size());
}

runtime::Duration RunLogWriter::runRound() {
  auto batch = takeBatch();
  try {
    if (!batch.empty()) write(batch, kCallLimit);
  } catch (...) {
    return noteFailure(std::move(batch), currentError());
  }
  num_failures_ = 0;
  bool has_more = !batch.empty();  // also when nothing is left: the next lines wait until then, and travel together
  try {
    has_more = forgetOld() || has_more;
  } catch (...) {
    next_forget_ = node_.clock.now() + kIdle / 2;
    failures_.log(
        Level::kWarn, "old log lines of runs stay for now", {{"error", std::string(currentError().message())}}
    );
  }
  return has_more ? kInterval : kIdle;
}

/// Deletes some that are old, where nobody else does; true when there may be more.
bool RunLogWriter::forgetOld() {
  const auto keep = node_.live.forgetRunLogsAfter();
  if (keep <= runtime::Duration::zero() || node_.clock.now() < next_forget_) return false;
  const storage::Call call{node_.vanish.token(), runtime::Deadline(node_.clock, kCallLimit)};
  if (table_.forgetLogs(call, std::nullopt, keep, kForgetAtOnce) >= kForgetAtOnce) return true;
  next_forget_ = node_.clock.now() + kIdle / 2;
  return false;
}

runtime::Duration RunLogWriter::noteFailure(std::vector<LoggedRun> batch, const Error& error) {
  const auto numbers = batch.size();
  if (isRefusal(error.code())) {
    leaveOut(numbers);
    closed_until_ns_ = (node_.clock.now() + kClosedFor).time_since_epoch().count();
    const std::lock_guard lock(mutex_);
    leaveOut(queue_.size());
    queue_.clear();
    places_.clear();
    num_ordinary_ = 0;
  } else if (error.reaction() == Reaction::kGiveUp || error.code() == ErrorCode::kCancelled) {
    leaveOut(numbers);  // one of them is what the store never takes
  } else {
    const std::lock_guard lock(mutex_);
    for (auto& run : batch) {
      // What was queued of it meanwhile is newer.
      if (queue_.size() >= kMaxQueued || places_.contains(run.id)) {
        leaveOut(1);
        continue;
      }
      const Place place{false, next_number_++};
      places_.emplace(run.id, place);
      queue_.emplace(place, std::move(run));
    }
  }
  if (error.code() != ErrorCode::kCancelled) {
    failures_.logFor(
        std::string(toString(error.code())),
        isRefusal(error.code()) ? Level::kInfo : Level::kWarn,
        "what plugins log last is not kept in the store for now",
        {{"error", error.message()}, {"code", toString(error.code())}}
    );
  }
  const double random = static_cast<double>(randomBelow(1000)) / 1000.0;
  return runtime::backoffDelay(kPause, ++num_failures_, random);
}

}  // namespace disttask::executor
