#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace disttask::test {

/// A port of this host that passes all connections on to a server, and may fall silent: what goes one way, or both, is
/// held back until it is heard again. Any thread may mute, and finds it done.
class TcpGate {
 public:
  /// Passes on to a unix socket if `socket` is given, else to host and port.
  TcpGate(const std::string& socket, const std::string& host, std::uint16_t port);
  TcpGate(const TcpGate&) = delete;
  TcpGate& operator=(const TcpGate&) = delete;
  ~TcpGate();

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  void mute(bool to_server, bool to_client);
  /// Lets through what was held back, and all that follows.
  void unmute() { mute(false, false); }

 private:
  struct Link {
    int client;
    int server;
  };
  void run();
  void accept();
  /// Passes on what is there; false when one side has ended.
  static bool pass(int from, int to);
  void wake() const;

  const std::string socket_;
  const std::string host_;
  const std::uint16_t target_port_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  int wake_[2] = {-1, -1};
  std::atomic<bool> to_server_{true};
  std::atomic<bool> to_client_{true};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable obeyed_changed_;
  std::uint64_t asked_ = 0;   // guarded by mutex_
  std::uint64_t obeyed_ = 0;  // guarded by mutex_
  std::vector<Link> links_;   // the thread's
  std::thread thread_;
};

}  // namespace disttask::test
