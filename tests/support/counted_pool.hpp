#pragma once
#include "disttask/runtime/pool.hpp"

#include <atomic>
#include <utility>

namespace disttask::test {

/// Knows whether jobs are on their way, so that a test does not let the time run ahead of them.
class CountedPool final : public runtime::Pool {
 public:
  Expected<std::monostate> run(runtime::Job job) override {
    ++pending;
    auto counted = [this, job = std::move(job)]() mutable {
      job();
      --pending;
    };
    auto started = pool_.run(std::move(counted));
    if (!started) --pending;
    return started;
  }
  Expected<std::monostate> runWithConcurrency(runtime::JobChannel& channel, std::uint32_t concurrency) override {
    return pool_.runWithConcurrency(channel, concurrency);
  }
  void releaseAndWait() override { pool_.releaseAndWait(); }
  std::atomic<int> pending{0};

 private:
  runtime::ThreadPool pool_{"ctl", 2, 8, {}};
};

}  // namespace disttask::test
