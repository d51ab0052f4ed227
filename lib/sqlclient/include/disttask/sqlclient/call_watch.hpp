#pragma once
#include "disttask/runtime/clock.hpp"
#include "disttask/runtime/thread_group.hpp"

#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <string>

namespace disttask::sqlclient {

/// Ends calls that nobody waits for any more. The connector has no cancel, so a call to a server that went mute would
/// last until its read limit. Here the socket that the call waits on is shut down instead: the call fails at once with
/// kStoreUnavailable (outcome unknown), its connection is broken. Works for each phase of a call, connecting included.
/// The server is not told: it sees the end of its client after its present statement. One thread, made when first
/// needed; any thread may open sections.
class CallWatch {
 public:
  /// `name` is the thread's.
  explicit CallWatch(std::string name);
  CallWatch(const CallWatch&) = delete;
  CallWatch& operator=(const CallWatch&) = delete;
  /// All sections have ended.
  ~CallWatch();

  /// Calls that the constructing thread makes before the destructor, on that thread. No other sockets are used
  /// meanwhile: whatever stream socket the thread waits on is shut down.
  class Section {
   public:
    Section(Section&& other) noexcept;
    Section& operator=(Section&&) = delete;
    ~Section();

   private:
    friend class CallWatch;
    struct State;
    Section(CallWatch& watch, std::list<State>::iterator at) : watch_(&watch), at_(at) {}
    CallWatch* watch_;
    std::list<State>::iterator at_;
  };

  /// Begins a section. `unwanted` is asked every 20 ms, on the watch's thread and never after the section's end; it is
  /// quick and does not throw. Once it says true, a call gets `grace` to end by itself; then it, and each later one of
  /// the section, is cut off. Throws kInternal when the system gives no thread.
  [[nodiscard]] Section open(std::function<bool()> unwanted, runtime::Duration grace);

 private:
  void run();

  const std::string name_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  std::list<Section::State> sections_;
  bool running_ = false;
  bool stopping_ = false;
  runtime::ThreadGroup thread_;  // last: it uses all the rest
};

struct CallWatch::Section::State {
  int thread_id = 0;
  std::function<bool()> unwanted;
  runtime::Duration grace{};
  runtime::TimePoint unwanted_since{};  ///< zero: wanted still
};

}  // namespace disttask::sqlclient
