#pragma once
#include "system_cluster.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <string>
#include <utility>
#include <vector>

namespace disttask::test {

/// A server of its own that a test may stop; data and server are gone at the end. Test's thread only.
class PrivateServer {
 public:
  /// `options` are those of the server, besides the usual ones.
  explicit PrivateServer(std::vector<std::string> options = {}) : options_(std::move(options)) { start(); }
  PrivateServer(const PrivateServer&) = delete;
  PrivateServer& operator=(const PrivateServer&) = delete;
  ~PrivateServer() {
    if (frozen_ > 0) ::kill(frozen_, SIGCONT);
    static_cast<void>(runProgram({PRIVATE_MARIADB, "remove", path()}));
  }
  void start() const {
    std::vector<std::string> words{PRIVATE_MARIADB, "start", path()};
    words.insert(words.end(), options_.begin(), options_.end());
    run(words);
  }
  void stop() const { run({PRIVATE_MARIADB, "stop", path()}); }
  /// Lets it stand still, with all connections open and no answers, and go on.
  void freeze() {
    frozen_ = std::stoi(readFile(path() + "/pid"));
    if (::kill(frozen_, SIGSTOP) != 0) FAIL("no server to freeze");
  }
  void thaw() { ::kill(std::exchange(frozen_, -1), SIGCONT); }
  [[nodiscard]] std::string socket() const { return path() + "/s.sock"; }

 private:
  [[nodiscard]] std::string path() const { return (folder_ / "db").string(); }
  static void run(const std::vector<std::string>& words) {
    const auto result = runProgram(words);
    if (result.exit_code != 0) FAIL(words[1] << ": " << result.err);
  }
  TempDir folder_;
  const std::vector<std::string> options_;
  pid_t frozen_ = -1;
};

}  // namespace disttask::test
