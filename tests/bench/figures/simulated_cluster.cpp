#include "simulated_cluster.hpp"

#include "figure_list.hpp"

#include <fmt/format.h>

namespace disttask::bench {

namespace {

constexpr int kThreads = 24;
constexpr std::int64_t kShortestNudgePauseNs = 20'000'000;  // as in a daemon: at most one early poll per 20 ms
constexpr std::int64_t kPauseAfterErrorNs = 100'000'000;
constexpr std::int64_t kOwnerKnownNs = 5'000'000'000;

}  // namespace

SimulatedCluster::SimulatedCluster(const Places& places, BenchStore& store, std::size_t count, std::int32_t slots)
    : places_(places), store_(store), slots_(slots) {
  storage::mysql::StoreSettings settings;
  settings.connect = sqlclient::toConnectSettings(places.dsn);
  settings.schema = store.schema();
  owner_reader_ = std::make_unique<storage::mysql::Store>(settings, runtime::systemClock());
  work_.at_once = 0;
  work_.on_started = [this](std::int64_t task, std::int32_t step, std::int64_t at) {
    num_started_.fetch_add(1);
    const std::lock_guard lock(steps_mutex_);
    auto& seen = steps_[{task, step}];
    if (seen.first_start_ns == 0 || at < seen.first_start_ns) seen.first_start_ns = at;
  };
  work_.on_finished = [this](std::int64_t task, std::int32_t step, std::int64_t at) {
    num_finished_.fetch_add(1);
    const std::lock_guard lock(steps_mutex_);
    auto& seen = steps_[{task, step}];
    seen.last_end_ns = std::max(seen.last_end_ns, at);
  };
  work_.on_dry = [this] { nudgeOwner(); };
  work_.on_planned = [this] {
    nudgeOwner();
    nudgeAll();
  };
  const auto port = reactor_.listenUdp("127.0.0.1", 0, [this](std::string_view text) { nudged(text); });
  address_ = fmt::format("127.0.0.1:{}", port);
  reactor_.start();
  for (std::size_t i = 0; i < count; ++i) add();
  for (int i = 0; i < kThreads; ++i) threads_.spawn("sim", [this] { work(); });
}

SimulatedCluster::~SimulatedCluster() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  changed_.notify_all();
  threads_.join();
  reactor_.stop();
}

void SimulatedCluster::add() {
  std::size_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = entries_.size();
  }
  auto entry = std::make_unique<Entry>();
  entry->node = std::make_unique<SimulatedNode>(
      places_,
      store_.schema(),
      fmt::format("sim-{:04}", number),
      slots_,
      address_,
      static_cast<std::int64_t>(number) + 1
  );
  entry->due_ns = monotonicNs();
  const std::lock_guard lock(mutex_);
  queue_.emplace(entry->due_ns, number);
  entries_.push_back(std::move(entry));
  changed_.notify_one();
}

std::int64_t SimulatedCluster::join() {
  first_of_last_.store(0);
  add();
  const auto at = monotonicNs();
  nudgeOwner();  // as a daemon does
  return at;
}

void SimulatedCluster::leaveLast() {
  std::unique_lock lock(mutex_);
  awaitRest(lock);
  auto& entry = *entries_.back();
  queue_.erase({entry.due_ns, entries_.size() - 1});
  entry.has_left = true;
  entry.node->forgetRuns();
  entry.node->leave();
}

void SimulatedCluster::setWork(std::int32_t at_once, runtime::Duration length) {
  std::unique_lock lock(mutex_);
  awaitRest(lock);
  work_.at_once = at_once;
  work_.length = length;
}

void SimulatedCluster::forgetRuns() {
  std::unique_lock lock(mutex_);
  awaitRest(lock);
  for (const auto& entry : entries_) entry->node->forgetRuns();
  const std::lock_guard steps_lock(steps_mutex_);
  steps_.clear();
}

void SimulatedCluster::awaitRest(std::unique_lock<std::mutex>& lock) {
  ++num_waiting_for_rest_;
  changed_.wait(lock, [&] { return num_active_ == 0; });
  --num_waiting_for_rest_;
  changed_.notify_all();
}

void SimulatedCluster::work() {
  std::unique_lock lock(mutex_);
  while (!is_over_) {
    const auto now = monotonicNs();
    if (queue_.empty() || num_waiting_for_rest_ > 0) {
      changed_.wait(lock);
      continue;
    }
    if (queue_.begin()->first > now) {
      changed_.wait_for(lock, std::chrono::nanoseconds(queue_.begin()->first - now));
      continue;
    }
    const auto index = queue_.begin()->second;
    queue_.erase(queue_.begin());
    auto& entry = *entries_[index];
    const bool nudged = std::exchange(entry.is_nudged, false);
    const bool is_last = index + 1 == entries_.size();
    entry.is_active = true;
    ++num_active_;
    lock.unlock();
    auto work = work_;  // it changes only while no node has a turn
    if (is_last) {
      work.on_started = [this](std::int64_t task, std::int32_t step, std::int64_t at) {
        std::int64_t none = 0;
        first_of_last_.compare_exchange_strong(none, at);
        work_.on_started(task, step, at);
      };
    }
    auto next = now + kPauseAfterErrorNs;
    try {
      next = entry.node->turn(work, nudged);
    } catch (const Exception& e) {
      if (num_errors_.fetch_add(1) == 0) FigureList::note(fmt::format("  a simulated node met: {}", e.what()));
    }
    lock.lock();
    entry.is_active = false;
    --num_active_;
    entry.due_ns = entry.is_nudged ? std::min(next, now + kShortestNudgePauseNs) : next;
    queue_.emplace(entry.due_ns, index);
    changed_.notify_all();
  }
}

void SimulatedCluster::nudged(std::string_view text) {
  constexpr std::string_view kPrefix = "nudge:";
  if (text.substr(0, kPrefix.size()) != kPrefix) return;
  const auto index = static_cast<std::size_t>(std::stoll(std::string(text.substr(kPrefix.size())))) - 1;
  const std::lock_guard lock(mutex_);
  if (index >= entries_.size()) return;
  auto& entry = *entries_[index];
  if (entry.has_left || entry.is_nudged) return;
  entry.is_nudged = true;
  if (entry.is_active) return;
  queue_.erase({entry.due_ns, index});
  entry.due_ns = std::min(entry.due_ns, monotonicNs());
  queue_.emplace(entry.due_ns, index);
  changed_.notify_one();
}

void SimulatedCluster::nudgeAll() {
  std::size_t count = 0;
  {
    const std::lock_guard lock(mutex_);
    count = entries_.size();
  }
  for (std::size_t i = 1; i <= count; ++i) nudged("nudge:" + std::to_string(i));
}

void SimulatedCluster::nudgeOwner() {
  const std::lock_guard lock(owner_mutex_);
  if (monotonicNs() - owner_read_ns_ > kOwnerKnownNs) {
    const auto owner = owner_reader_->schedulerTable().getOwner({});
    owner_address_ = owner.address;
    owner_token_ = owner.nudge_token;
    owner_read_ns_ = monotonicNs();
  }
  if (!owner_address_.empty()) runtime::sendDatagram(owner_address_, "owner:" + std::to_string(owner_token_));
}

std::int64_t SimulatedCluster::firstStart(std::int64_t task, std::int32_t step) const {
  const std::lock_guard lock(steps_mutex_);
  const auto seen = steps_.find({task, step});
  return seen == steps_.end() ? 0 : seen->second.first_start_ns;
}

std::int64_t SimulatedCluster::lastEnd(std::int64_t task, std::int32_t step) const {
  const std::lock_guard lock(steps_mutex_);
  const auto seen = steps_.find({task, step});
  return seen == steps_.end() ? 0 : seen->second.last_end_ns;
}

}  // namespace disttask::bench
