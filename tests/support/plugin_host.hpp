#pragma once
#include "disttask_plugin.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace disttask::test {

/// The host side of the plugin ABI, as far as our task types use it: named connections with places in common, cancel,
/// counters. Any thread.
class FakeHost {
 public:
  /// `connections`: name → JSON, as the host would answer.
  explicit FakeHost(std::map<std::string, std::string> connections, int places = 4);
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  [[nodiscard]] sdk::Host host() const { return sdk::Host(&abi_); }
  [[nodiscard]] const disttask_host* abi() const noexcept { return &abi_; }
  void cancel() { cause_ = DISTTASK_CAUSE_CANCEL_SUBTASK; }
  void uncancel() { cause_ = DISTTASK_CAUSE_NONE; }
  [[nodiscard]] std::vector<std::string> log() const;
  [[nodiscard]] int mostPlacesTaken() const;

 private:
  static FakeHost& of(const disttask_host* host) { return *static_cast<FakeHost*>(host->impl); }
  static const void* getExtension(const disttask_host* host, disttask_str id);
  static void writeLog(const disttask_host* host, std::int32_t level, disttask_str message);
  static std::int32_t wait(const disttask_host* host, std::int64_t milliseconds);
  static disttask_status get(const disttask_host* host, disttask_str name, disttask_sink json, disttask_sink error);
  static disttask_status acquire(const disttask_host* host, disttask_str name, disttask_sink error);
  static void release(const disttask_host* host, disttask_str name);

  disttask_host abi_{};
  disttask_ext_connection connection_{};
  const std::map<std::string, std::string> connections_;
  const int places_;
  std::atomic<std::int32_t> cause_{DISTTASK_CAUSE_NONE};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int taken_ = 0;
  int most_taken_ = 0;
  std::vector<std::string> log_;
};

/// One run of a subtask: its counters and its checkpoint.
class FakeRun {
 public:
  explicit FakeRun(const FakeHost& host, std::string checkpoint = "");
  [[nodiscard]] sdk::Run run() const { return sdk::Run(&abi_); }
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] std::int64_t bytes() const { return bytes_; }
  [[nodiscard]] const std::string& checkpoint() const { return checkpoint_; }

 private:
  disttask_run abi_{};
  std::atomic<std::int64_t> rows_{0};
  std::atomic<std::int64_t> bytes_{0};
  std::string checkpoint_;
};

/// One call of plan: the batch it makes, and results of the step before to read.
class FakePlanning {
 public:
  FakePlanning(const FakeHost& host, std::vector<std::string> results, std::int32_t max_rows = 1000);
  [[nodiscard]] sdk::Planning planning() const { return sdk::Planning(&abi_); }
  [[nodiscard]] const std::vector<std::string>& batch() const { return batch_; }

 private:
  disttask_planning abi_{};
  std::vector<std::string> results_;
  std::vector<std::string> batch_;
};

}  // namespace disttask::test
