#include "host_planning.hpp"

#include "abi_status.hpp"
#include "abi_text.hpp"

namespace disttask::plugin {

/// The functions of disttask_planning.
struct PlanningTable {
  static HostPlanning& of(const disttask_planning* planning) noexcept {
    return *static_cast<HostPlanning*>(planning->impl);
  }

  static void addSubtask(const disttask_planning* planning, disttask_str meta) noexcept {
    HostPlanning& call = of(planning);
    try {
      call.add(fromAbi(meta));
    } catch (...) {
      call.incomplete_.store(true);  // out of memory: takeMetas refuses the batch
    }
  }

  static disttask_status readResults(
      const disttask_planning* planning,
      std::int32_t step,
      std::int32_t after,
      void* ctx,
      std::int32_t (*each)(void* ctx, std::int32_t ordinal, disttask_str meta),
      disttask_sink error
  ) noexcept {
    try {
      if (each == nullptr)
        throw Exception(ErrorCode::kInvalidArgument, "read_results needs a function for the results");
      of(planning).context_.readResults(proto::Step(step), after, [&](std::int32_t ordinal, const std::string& meta) {
        return each(ctx, ordinal, toAbi(meta)) != 0;
      });
      return DISTTASK_OK;
    } catch (...) {
      return currentStatus(error);
    }
  }
};

HostPlanning::HostPlanning(
    const HostServices& services, const CallNames& names, PlanContext& context, const PlanLimits& limits
)
    : HostCall(services, names, context.token()),
      context_(context),
      limits_(limits),
      planning_{
          sizeof(disttask_planning),
          context.numNodes(),
          abi(),
          this,
          limits.max_rows,
          0,
          limits.max_bytes,
          &PlanningTable::addSubtask,
          &PlanningTable::readResults} {}

void HostPlanning::add(std::string_view meta) {
  const std::lock_guard lock(mutex_);
  if (!refusal_.empty()) return;
  if (meta.size() > kMaxOutputBytes) {
    refusal_ = "a subtask's meta has more than " + std::to_string(kMaxOutputBytes >> 20) + " MiB";
  } else if (metas_.size() >= static_cast<std::size_t>(limits_.max_rows)) {
    refusal_ = "one batch has more than the allowed " + std::to_string(limits_.max_rows) + " subtasks";
  } else if (!metas_.empty() && num_bytes_ + static_cast<std::int64_t>(meta.size()) > limits_.max_bytes) {
    // A single meta above the limit is let through: it has nowhere else to go.
    refusal_ = "the metas of one batch have more than the allowed " + std::to_string(limits_.max_bytes) + " bytes";
  } else {
    metas_.emplace_back(meta);
    num_bytes_ += static_cast<std::int64_t>(meta.size());
  }
}

std::vector<std::string> HostPlanning::takeMetas() {
  if (incomplete_.load()) {
    throw Exception(Error(ErrorCode::kInternal, Reaction::kRetry, "not enough memory for a batch of subtasks"));
  }
  const std::lock_guard lock(mutex_);
  if (refusal_.empty()) return std::move(metas_);
  logMisbehaving("plan added too much: " + refusal_);
  throw Exception(Error(ErrorCode::kPluginFailed, Reaction::kGiveUp, "plan added too much: " + refusal_));
}

}  // namespace disttask::plugin
