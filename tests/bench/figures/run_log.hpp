#pragma once
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>

namespace disttask::bench {

/// Nanoseconds on CLOCK_MONOTONIC: the same for all processes of a host.
inline std::int64_t monotonicNs() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

/// What the task type `bench` notes of each run, in a file that daemons and the benchmark map: no statement is needed
/// to see how far a daemon is. Any thread and process.
class RunLog {
 public:
  struct Run {
    std::int64_t task_id;
    std::int64_t ordinal;
    std::int64_t entered_ns;  ///< runSubtask began; 0 = not written yet
    std::int64_t left_ns;     ///< it is about to return
  };
  static constexpr std::uint64_t kCapacity = 400'000;

  explicit RunLog(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ::ftruncate(file, sizeof(File)) != 0) {
      throw std::system_error(errno, std::generic_category(), path);
    }
    void* mapped = ::mmap(nullptr, sizeof(File), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (mapped == MAP_FAILED) throw std::system_error(errno, std::generic_category(), path);
    file_ = static_cast<File*>(mapped);
  }
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;
  ~RunLog() { ::munmap(file_, sizeof(File)); }

  /// Notes a run; those beyond the capacity are only counted.
  void add(std::int64_t task_id, std::int64_t ordinal, std::int64_t entered_ns) noexcept {
    const auto index = file_->num_runs.fetch_add(1, std::memory_order_relaxed);
    if (index >= kCapacity) return;
    auto& run = file_->runs[index];
    run.task_id = task_id;
    run.ordinal = ordinal;
    run.left_ns = monotonicNs();
    std::atomic_ref(run.entered_ns).store(entered_ns, std::memory_order_release);
  }
  [[nodiscard]] std::uint64_t numRuns() const noexcept { return file_->num_runs.load(std::memory_order_relaxed); }
  /// Returns a run that was noted completely; nullptr when it was not, or not yet.
  [[nodiscard]] const Run* find(std::uint64_t index) const noexcept {
    if (index >= kCapacity) return nullptr;
    auto& run = file_->runs[index];
    return std::atomic_ref(run.entered_ns).load(std::memory_order_acquire) == 0 ? nullptr : &run;
  }
  /// Forgets all; nobody may run meanwhile.
  void clear() noexcept {
    for (auto& run : file_->runs) run = {};
    file_->num_runs.store(0);
  }

 private:
  struct File {
    std::atomic<std::uint64_t> num_runs;
    Run runs[kCapacity];  // NOLINT: shared memory
  };
  File* file_ = nullptr;
};

}  // namespace disttask::bench
