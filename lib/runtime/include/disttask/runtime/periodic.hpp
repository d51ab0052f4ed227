#pragma once
#include "disttask/runtime/pool.hpp"
#include "disttask/runtime/timers.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace disttask::runtime {

/// Runs a body again and again: a timer fires, the body runs on the pool (it may block), its return value is the delay
/// to the next round. Rounds never overlap. When the pool has no free thread the round is tried again after a short
/// delay and counted. A body that throws ends its round; the pool reports the exception, and the next round follows
/// after a second.
class Periodic {
 public:
  /// `body` returns the delay until its next round. The timers and the pool must outlive this.
  Periodic(std::string name, Timers& timers, Pool& pool, std::function<Duration()> body);
  Periodic(const Periodic&) = delete;
  Periodic& operator=(const Periodic&) = delete;
  ~Periodic();

  /// Begins; the first round after `first_delay`. Once only; nothing after stop.
  void start(Duration first_delay);
  /// Asks for a round now; while one runs, for one more right after it. At most one early round per `min_gap` (20 ms,
  /// design rule 21). Before start it makes the first round early. Any thread.
  void nudge();
  /// No further round begins; waits for the one that runs. Idempotent, legal before start; not from the body.
  void stop();
  /// Returns how many rounds have ended.
  [[nodiscard]] std::uint64_t numRounds() const;
  /// Returns how often it has beaten: every five seconds of a delay. With numRounds, what moves however long the delays
  /// are, unless a round hangs or gets no thread, for those who watch whether it stands still. Any thread.
  [[nodiscard]] std::uint64_t numBeats() const;
  /// Returns how often the pool had no free thread for a round.
  [[nodiscard]] std::uint64_t numRefused() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with timer handlers, which may fire after stop
};

}  // namespace disttask::runtime
