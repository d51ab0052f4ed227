#pragma once
#include "wait.hpp"

#include <chrono>
#include <filesystem>
#include <string>

namespace disttask::test {

/// A unix datagram socket that plays the service manager: keeps what daemons tell it.
class NotifySocket {
 public:
  explicit NotifySocket(std::filesystem::path path);
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;
  ~NotifySocket();
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// Waits until some message held `text`.
  [[nodiscard]] bool waitFor(const std::string& text, std::chrono::nanoseconds limit = kSoon);
  [[nodiscard]] bool has(const std::string& text);
  /// Returns all messages so far.
  [[nodiscard]] const std::string& all();

 private:
  std::string path_;
  int socket_ = -1;
  std::string received_;
};

}  // namespace disttask::test
