#include "disttask/runtime/periodic.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

namespace disttask::runtime {

namespace {

constexpr Duration kMinGap = std::chrono::milliseconds(20);
constexpr Duration kRefusedDelay = std::chrono::milliseconds(10);
constexpr Duration kFailedDelay = std::chrono::seconds(1);
/// The longest sleep between two beats.
constexpr Duration kBeat = std::chrono::seconds(5);

}  // namespace

struct Periodic::State : std::enable_shared_from_this<Periodic::State> {
  State(std::string name_in, Timers& timers_in, Pool& pool_in, std::function<Duration()> body_in)
      : name(std::move(name_in)), timers(timers_in), pool(pool_in), body(std::move(body_in)) {}

  // All of these: mutex held.

  void schedule(Duration delay) {
    unschedule();
    const auto mine = ++generation;
    const auto sleep = std::min(delay, kBeat);
    timer = timers.after(sleep, [self = shared_from_this(), mine, left = delay - sleep] {
      const std::lock_guard lock(self->mutex);
      if (self->generation != mine) return;  // replaced while it was about to fire
      if (left <= Duration::zero()) return self->beginRound();
      ++self->num_beats;
      self->schedule(left);
    });
  }
  void unschedule() {
    ++generation;
    if (timer) timers.cancel(*timer);
    timer.reset();
  }
  void beginRound() {
    if (stopped || running) return;
    unschedule();
    running = true;
    if (pool.run([self = shared_from_this()] { self->runRound(); })) return;
    running = false;
    ++num_refused;
    schedule(kRefusedDelay);
  }
  // A round ahead of its time, unless the last one was less than the gap ago: then at the end of the gap.
  void beginEarlyRound() {
    nudged = true;
    if (stopped || !started || running || in_gap) return;
    nudged = false;
    in_gap = true;
    gap_timer = timers.after(kMinGap, [self = shared_from_this()] {
      const std::lock_guard lock(self->mutex);
      self->in_gap = false;
      if (self->nudged) self->beginEarlyRound();
    });
    beginRound();
  }

  // On a thread of the pool, mutex not held.
  void runRound() {
    try {
      endRound(body());
    } catch (...) {  // the pool reports it; the rounds go on
      auto error = currentError();
      endRound(kFailedDelay);
      throw Exception(std::move(error.addContext("round of " + name)));
    }
  }
  void endRound(Duration delay) {
    const std::lock_guard lock(mutex);
    ++num_rounds;
    running = false;
    if (!stopped) {
      schedule(delay);
      if (nudged) beginEarlyRound();
    }
    idle.notify_all();
  }

  const std::string name;
  Timers& timers;
  Pool& pool;
  const std::function<Duration()> body;
  mutable std::mutex mutex;
  std::condition_variable idle;
  std::optional<Timers::TimerId> timer;
  std::optional<Timers::TimerId> gap_timer;
  std::uint64_t generation = 0;  // tells a timer that was replaced from the present one
  std::uint64_t num_rounds = 0;
  std::uint64_t num_refused = 0;
  std::uint64_t num_beats = 0;
  bool started = false;
  bool stopped = false;
  bool running = false;  // a round runs, or waits for its thread
  bool nudged = false;   // an early round is due
  bool in_gap = false;   // an early round began less than the gap ago
};

Periodic::Periodic(std::string name, Timers& timers, Pool& pool, std::function<Duration()> body)
    : state_(std::make_shared<State>(std::move(name), timers, pool, std::move(body))) {}

Periodic::~Periodic() {
  stop();
}

void Periodic::start(Duration first_delay) {
  const std::lock_guard lock(state_->mutex);
  if (state_->started || state_->stopped) return;
  state_->started = true;
  state_->schedule(first_delay);
  if (state_->nudged) state_->beginEarlyRound();
}

void Periodic::nudge() {
  const std::lock_guard lock(state_->mutex);
  state_->beginEarlyRound();
}

void Periodic::stop() {
  std::unique_lock lock(state_->mutex);
  state_->stopped = true;
  state_->unschedule();
  if (state_->gap_timer) state_->timers.cancel(*std::exchange(state_->gap_timer, std::nullopt));
  state_->idle.wait(lock, [this] { return !state_->running; });
}

std::uint64_t Periodic::numRounds() const {
  const std::lock_guard lock(state_->mutex);
  return state_->num_rounds;
}

std::uint64_t Periodic::numBeats() const {
  const std::lock_guard lock(state_->mutex);
  return state_->num_beats;
}

std::uint64_t Periodic::numRefused() const {
  const std::lock_guard lock(state_->mutex);
  return state_->num_refused;
}

}  // namespace disttask::runtime
