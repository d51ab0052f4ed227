#include "disttask/executor/node_writer.hpp"

#include "disttask/executor/node_services.hpp"

#include <utility>

namespace disttask::executor {

namespace {

std::size_t numWritesOf(const RunWrites& writes) noexcept {
  return (writes.finish ? 1U : 0U) + (writes.start ? 1U : 0U);
}

std::size_t numBytesOf(const RunWrites& writes) noexcept {
  if (!writes.finish) return 0;
  return writes.finish->meta.size() + (writes.finish->summary ? writes.finish->summary->size() : 0);
}

}  // namespace

void NodeWriter::submit(storage::TaskTable& table, WriteOwner& owner, RunWrites writes) {
  const std::lock_guard lock(mutex_);
  queue_.push_back({&table, &owner, std::move(writes)});
}

std::vector<NodeWriter::Entry> NodeWriter::takeBatch() {
  std::vector<Entry> batch;
  std::size_t count = 0;
  std::size_t bytes = 0;
  while (!queue_.empty()) {
    auto& next = queue_.front();
    const auto more_bytes = numBytesOf(next.writes);
    count += numWritesOf(next.writes);
    bytes += more_bytes;
    // A finish and the start that follows it stay together.
    if (!batch.empty() &&
        (count > storage::kMaxRunWrites || bytes > storage::kMaxRunWriteBytes || next.table != batch.front().table)) {
      break;
    }
    batch.push_back(std::move(next));
    queue_.pop_front();
  }
  return batch;
}

bool NodeWriter::drive() {
  for (bool has_sent = false;; has_sent = true) {
    std::vector<Entry> batch;
    {
      const std::lock_guard lock(mutex_);
      if (sending_ || queue_.empty()) return has_sent;
      sending_ = true;
      batch = takeBatch();
    }
    const auto count = send(batch);
    const std::lock_guard lock(mutex_);
    sending_ = false;
    ++num_batches_;
    num_writes_ += count;
    if (queue_.empty() || queue_.front().owner->mustDrive()) return true;
  }
}

std::size_t NodeWriter::send(std::vector<Entry>& batch) {
  // The lease is read before a start is sent; its owner reads it again after the confirmation (design rule 16).
  const bool lease_allows = node_.lease.mayStart();
  std::vector<storage::RunWrite> writes;
  writes.reserve(batch.size() * 2);
  std::vector<bool> start_sent(batch.size(), false);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    auto& entry = batch[i];
    if (entry.writes.finish) writes.emplace_back(std::move(*entry.writes.finish));
    if (entry.writes.start && lease_allows && entry.owner->maySendStarts()) {
      writes.emplace_back(*entry.writes.start);
      start_sent[i] = true;
    }
  }
  std::vector<storage::RunWriteResult> results;
  std::optional<Error> error;
  if (!writes.empty()) {
    try {
      results = batch.front().table->writeRuns(node_.call(), node_.settings.exec_id, writes);
    } catch (...) {  // nothing was sent: the node vanishes, or there is no memory
      error = currentError();
    }
  }
  if (error) results.assign(writes.size(), {proto::TransitionOutcome::kLost, error});
  std::size_t at = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    auto& entry = batch[i];
    RunWritesResult result;
    if (entry.writes.finish) {
      // It comes back as well: a failed one is written again by its owner.
      entry.writes.finish = std::get<storage::RunFinish>(std::move(writes[at]));
      result.finish = std::move(results[at++]);
    }
    if (start_sent[i]) result.start = std::move(results[at++]);
    entry.owner->concluded(std::move(entry.writes), std::move(result));
  }
  return writes.size();
}

std::optional<std::uint64_t> NodeWriter::progress() const {
  const std::lock_guard lock(mutex_);
  if (queue_.empty() && !sending_) return std::nullopt;
  return num_batches_;
}

std::uint64_t NodeWriter::numBatches() const {
  const std::lock_guard lock(mutex_);
  return num_batches_;
}

std::uint64_t NodeWriter::numWrites() const {
  const std::lock_guard lock(mutex_);
  return num_writes_;
}

}  // namespace disttask::executor
