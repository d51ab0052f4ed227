#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

namespace disttask::csv_import {

/// Decides how many chunks of a step run at a time on this node, between 1 and the connection's places. More
/// connections than the server has use for make it slower: they wait for the same pages, spinning. So the pace starts
/// with one, tries one more after it has seen enough turns, and keeps it only if that brings at least 10 %; a failed
/// try is not repeated for a while, each time for twice as long. Any thread.
class ChunkPace {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Waits for a turn; `check` is called meanwhile, every 20 ms, and may throw.
  void enter(const std::function<void()>& check);
  /// Ends a turn that moved so many bytes (0: it failed).
  void leave(std::uint64_t bytes, Time now) noexcept;
  /// How many may run now.
  [[nodiscard]] int limit() const;

  /// Enters, and leaves at its end.
  class Turn {
   public:
    Turn(ChunkPace& pace, const std::function<void()>& check) : pace_(pace) { pace_.enter(check); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { pace_.leave(bytes_, std::chrono::steady_clock::now()); }
    void setBytes(std::uint64_t bytes) noexcept { bytes_ = bytes; }

   private:
    ChunkPace& pace_;
    std::uint64_t bytes_ = 0;
  };

 private:
  void adjust(double rate) noexcept;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // All guarded by mutex_.
  int limit_ = 1;
  int active_ = 0;
  bool trying_ = false;  // limit_ is one more than what is known to be good
  int hold_ = 2;         // windows before the next try; a short import is over before a try can pay
  int next_hold_ = 2;
  int finished_ = 0;         // turns in the present window
  std::uint64_t bytes_ = 0;  // moved in it
  Time since_{};             // its begin; zero before the first turn ends
  double good_rate_ = 0;     // of the window before the try
};

}  // namespace disttask::csv_import
