#pragma once
#include "system_cluster.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace disttask::test {

/// A server of its own that a test may stop; data and server are gone at the end. A MariaDB, or what the script named
/// by DISTTASK_TEST_SERVER starts (tests/run.sh --store tidb sets it). Test's thread only.
class PrivateServer {
 public:
  PrivateServer() {
    // Read before there is any other thread.
    if (const char* const script = std::getenv("DISTTASK_TEST_SERVER")) script_ = script;
    start();
  }
  /// A MariaDB, whatever else the other tests run on, with `options` besides the usual ones.
  explicit PrivateServer(std::vector<std::string> options) : options_(std::move(options)) { start(); }
  PrivateServer(const PrivateServer&) = delete;
  PrivateServer& operator=(const PrivateServer&) = delete;
  ~PrivateServer() {
    if (frozen_ > 0) ::kill(frozen_, SIGCONT);
    static_cast<void>(runProgram({script_, "remove", path()}));
  }
  void start() const {
    std::vector<std::string> words{script_, "start", path()};
    words.insert(words.end(), options_.begin(), options_.end());
    run(words);
  }
  void stop() const { run({script_, "stop", path()}); }
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
  std::string script_ = PRIVATE_MARIADB;
  const std::vector<std::string> options_;
  pid_t frozen_ = -1;
};

}  // namespace disttask::test
