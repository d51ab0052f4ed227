#include "plugin_host.hpp"

#include <algorithm>
#include <chrono>

namespace disttask::test {
namespace {

std::string text(disttask_str view) {
  return {view.ptr, static_cast<std::size_t>(view.len)};
}
void write(disttask_sink sink, const std::string& out) {
  sink.write(sink.ctx, out.data(), out.size());
}

}  // namespace

FakeHost::FakeHost(std::map<std::string, std::string> connections, int places)
    : connections_(std::move(connections)), places_(places) {
  connection_ = {sizeof connection_, 0, &get, &acquire, &release};
  abi_.struct_size = sizeof abi_;
  abi_.impl = this;
  abi_.get_extension = &getExtension;
  abi_.log = &writeLog;
  abi_.cancel_cause = [](const disttask_host* host) { return of(host).cause_.load(); };
  abi_.wait = &wait;
}

std::vector<std::string> FakeHost::log() const {
  const std::lock_guard lock(mutex_);
  return log_;
}

int FakeHost::mostPlacesTaken() const {
  const std::lock_guard lock(mutex_);
  return most_taken_;
}

const void* FakeHost::getExtension(const disttask_host* host, disttask_str id) {
  return text(id) == DISTTASK_EXT_HOST_CONNECTION ? &of(host).connection_ : nullptr;
}

void FakeHost::writeLog(const disttask_host* host, std::int32_t, disttask_str message) {
  const std::lock_guard lock(of(host).mutex_);
  of(host).log_.push_back(text(message));
}

std::int32_t FakeHost::wait(const disttask_host* host, std::int64_t milliseconds) {
  std::unique_lock lock(of(host).mutex_);
  of(host).changed_.wait_for(lock, std::chrono::milliseconds(milliseconds), [&] { return of(host).cause_ != 0; });
  return of(host).cause_;
}

disttask_status FakeHost::get(const disttask_host* host, disttask_str name, disttask_sink json, disttask_sink error) {
  const auto found = of(host).connections_.find(text(name));
  if (found == of(host).connections_.end()) {
    write(error, "connection '" + text(name) + "' is not one that this task type may use");
    return DISTTASK_FAILED;
  }
  write(json, found->second);
  return DISTTASK_OK;
}

disttask_status FakeHost::acquire(const disttask_host* host, disttask_str name, disttask_sink error) {
  if (of(host).connections_.count(text(name)) == 0) {
    write(error, "connection '" + text(name) + "' is not one that this task type may use");
    return DISTTASK_FAILED;
  }
  std::unique_lock lock(of(host).mutex_);
  of(host).changed_.wait(lock, [&] { return of(host).taken_ < of(host).places_; });
  of(host).most_taken_ = std::max(of(host).most_taken_, ++of(host).taken_);
  return DISTTASK_OK;
}

void FakeHost::release(const disttask_host* host, disttask_str) {
  const std::lock_guard lock(of(host).mutex_);
  --of(host).taken_;
  of(host).changed_.notify_all();
}

FakeRun::FakeRun(const FakeHost& host, std::string kept) : checkpoint_(std::move(kept)) {
  abi_.struct_size = sizeof abi_;
  abi_.host = host.abi();
  abi_.impl = this;
  abi_.add_progress = [](const disttask_run* run, std::int64_t rows, std::int64_t bytes, std::int64_t) {
    static_cast<FakeRun*>(run->impl)->rows_ += rows;
    static_cast<FakeRun*>(run->impl)->bytes_ += bytes;
  };
  abi_.get_checkpoint = [](const disttask_run* run, disttask_sink checkpoint, disttask_sink) -> disttask_status {
    write(checkpoint, static_cast<FakeRun*>(run->impl)->checkpoint_);
    return DISTTASK_OK;
  };
  abi_.put_checkpoint = [](const disttask_run* run, disttask_str checkpoint, disttask_sink) -> disttask_status {
    static_cast<FakeRun*>(run->impl)->checkpoint_ = text(checkpoint);
    return DISTTASK_OK;
  };
  abi_.run_token = [](const disttask_run*) { return std::int64_t{1}; };
  abi_.valid_for_ms = [](const disttask_run*) { return std::int64_t{30'000}; };
}

FakePlanning::FakePlanning(const FakeHost& host, std::vector<std::string> results, std::int32_t max_rows)
    : results_(std::move(results)) {
  abi_.struct_size = sizeof abi_;
  abi_.num_nodes = 2;
  abi_.host = host.abi();
  abi_.impl = this;
  abi_.max_rows = max_rows;
  abi_.max_bytes = 1 << 20;
  abi_.add_subtask = [](const disttask_planning* planning, disttask_str meta) {
    static_cast<FakePlanning*>(planning->impl)->batch_.push_back(text(meta));
  };
  abi_.read_results = [](const disttask_planning* planning,
                         std::int32_t,
                         std::int32_t after,
                         void* ctx,
                         std::int32_t (*each)(void*, std::int32_t, disttask_str),
                         disttask_sink) -> disttask_status {
    const auto& kept = static_cast<FakePlanning*>(planning->impl)->results_;
    for (std::size_t i = static_cast<std::size_t>(after); i < kept.size(); ++i) {
      if (each(ctx, static_cast<std::int32_t>(i + 1), {kept[i].data(), kept[i].size()}) == 0) break;
    }
    return DISTTASK_OK;
  };
}

}  // namespace disttask::test
