#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace disttask::test {

/// A client that sends just these bytes. Test's thread only.
class RawClient {
 public:
  /// Connects to the loopback.
  explicit RawClient(std::uint16_t port);
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient();
  void send(const std::string& bytes) const;
  /// Reads until the server has closed, or `limit` has passed without a byte.
  [[nodiscard]] std::string readAll(std::chrono::seconds limit = std::chrono::seconds(30)) const;
  /// True when an answer is there within `limit`.
  [[nodiscard]] bool hasAnswer(std::chrono::milliseconds limit) const;

 private:
  int socket_;
};

/// Sends one request and returns the whole answer.
[[nodiscard]] std::string ask(std::uint16_t port, const std::string& request);
/// GET of a path.
[[nodiscard]] std::string get(std::uint16_t port, const std::string& path);

}  // namespace disttask::test
