#pragma once
#include "bench_store.hpp"
#include "disttask/sqlclient/dsn.hpp"
#include "run_log.hpp"

#include "support/child_process.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace disttask::bench {

/// Where things are.
struct Places {
  std::filesystem::path daemon;
  std::filesystem::path plugin;  ///< bench_task.so
  std::filesystem::path work;    ///< an existing folder
  sqlclient::Dsn dsn;
  pid_t server_pid = 0;  ///< 0 = not on this host, or not known
  [[nodiscard]] std::string runLog() const { return work / "runs"; }
};

struct NodeSetup {
  std::string id;
  std::int32_t slots = 1;
  bool scheduler = false;
  std::int32_t lease_s = 30;
  std::int32_t max_tasks = 16;  ///< of the scheduler role, at the same time
};

/// A real daemon with the task type `bench`, registered when the constructor returns; killed and waited for at the end,
/// after an attempt to stop it gracefully.
class NodeDaemon {
 public:
  NodeDaemon(const Places& places, BenchStore& store, const NodeSetup& setup);
  NodeDaemon(const NodeDaemon&) = delete;
  NodeDaemon& operator=(const NodeDaemon&) = delete;
  ~NodeDaemon();

  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] pid_t pid() const noexcept { return process_->pid(); }
  /// Sends it a signal; one that ends it, or stops it, is the caller's to think of.
  void signal(int number) const { process_->kill(number); }
  /// Tells it that there is news, as an owner does.
  void nudge() const;
  /// Asks it to stop, and waits; throws when it does not end with 0.
  void stop();

 private:
  std::string id_;
  std::unique_ptr<test::ChildProcess> process_;
  std::string address_;
  std::int64_t nudge_token_ = 0;
  bool stopped_ = false;
};

}  // namespace disttask::bench
