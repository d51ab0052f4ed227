#pragma once
#include "disttask/runtime/clock.hpp"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace disttask::runtime {

/// One-shot timers. Handlers are short and never block; they run on the timer thread (Reactor) or on the thread that
/// advances the time (tests). Any thread may call.
class Timers {
 public:
  using TimerId = std::uint64_t;
  virtual ~Timers() = default;
  virtual TimerId after(Duration delay, std::function<void()> handler) = 0;
  /// Drops a timer; true if its handler had not begun. Does not wait for a handler that runs.
  virtual bool cancel(TimerId id) = 0;
};

/// The event loop of a process: one thread, Boost.Asio behind it, timers, signals and UDP datagrams; nothing on it ever
/// blocks.
class Reactor final : public Timers {
 public:
  Reactor();
  ~Reactor() override;
  /// Starts the thread. Idempotent.
  void start();
  /// Ends the loop and joins; pending handlers are dropped. Idempotent, legal before start; not from a handler.
  void stop();

  TimerId after(Duration delay, std::function<void()> handler) override;
  bool cancel(TimerId id) override;
  /// Runs `handler` on the loop's thread soon. Any thread.
  void post(std::function<void()> handler);
  /// Calls `handler` for each of these signals until stop. Before start only.
  void onSignals(std::initializer_list<int> signals, std::function<void(int)> handler);
  /// Listens for datagrams of at most 512 bytes on `host:port` (port 0 = any); `handler` gets the bytes on the loop's
  /// thread; longer ones are dropped. `host` is numeric or "localhost". Returns the bound port. Throws kUnsupported
  /// with the address and the system's reason when it cannot bind.
  std::uint16_t listenUdp(const std::string& host, std::uint16_t port, std::function<void(std::string_view)> handler);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Sends one datagram and forgets it: nudges are hints. `address` is host:port or [v6]:port, with a host that is
/// numeric or "localhost": a name is not looked up, since that may wait. Never throws, never waits. Any thread.
void sendDatagram(const std::string& address, std::string_view bytes) noexcept;

}  // namespace disttask::runtime
