#pragma once
#include "abi_rows.hpp"
#include "disttask/plugin/step_executor.hpp"

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace disttask::plugin {

/// A subtask while a hook of the plugin works on it; owns its meta, because whoever asks for a summary may outlast the
/// hook.
struct ActiveRun {
  explicit ActiveRun(const proto::Subtask& subtask) : meta(subtask.meta), abi(subtaskToAbi(subtask)) {
    abi.meta = toAbi(meta);
  }
  ActiveRun(const ActiveRun&) = delete;
  ActiveRun& operator=(const ActiveRun&) = delete;
  const std::string meta;
  disttask_subtask abi;
};

/// Which subtask belongs to which run context, for summaries: the framework asks with the context alone, also once
/// after the run has returned, when the plugin may have dropped what it knew. Any thread.
class ActiveRuns {
 public:
  using Last = std::optional<proto::SubtaskSummary>;

  std::shared_ptr<const ActiveRun> begin(const RunContext& context, const proto::Subtask& subtask) {
    auto run = std::make_shared<const ActiveRun>(subtask);
    const std::lock_guard lock(mutex_);
    // A context may stand where one that is gone stood.
    if (ended_.erase(&context) > 0) std::erase(ended_order_, &context);
    active_[&context] = run;
    return run;
  }
  /// `last` is the plugin's own summary at the end of the hook; nothing: the counters of the context hold.
  void end(const RunContext& context, const Last& last) {
    const std::lock_guard lock(mutex_);
    active_.erase(&context);
    if (!last) return;
    if (ended_.insert_or_assign(&context, *last).second) ended_order_.push_back(&context);
    while (ended_order_.size() > kMaxEnded) {
      ended_.erase(ended_order_.front());
      ended_order_.pop_front();
    }
  }
  [[nodiscard]] std::shared_ptr<const ActiveRun> findActive(const RunContext& context) const {
    const std::lock_guard lock(mutex_);
    const auto at = active_.find(&context);
    return at == active_.end() ? nullptr : at->second;
  }
  [[nodiscard]] Last findLast(const RunContext& context) const {
    const std::lock_guard lock(mutex_);
    const auto at = ended_.find(&context);
    return at == ended_.end() ? Last() : Last(at->second);
  }

 private:
  static constexpr std::size_t kMaxEnded = 1024;  // more than any node has runs between return and finish
  mutable std::mutex mutex_;
  std::map<const RunContext*, std::shared_ptr<const ActiveRun>> active_;
  std::map<const RunContext*, proto::SubtaskSummary> ended_;
  std::deque<const RunContext*> ended_order_;
};

}  // namespace disttask::plugin
