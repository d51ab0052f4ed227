#include "plan_job.hpp"

#include "disttask/base/failpoint.hpp"
#include "disttask/base/random.hpp"
#include "disttask/observability/log.hpp"
#include "disttask/planning/spread.hpp"
#include "disttask/proto/eligibility.hpp"
#include "disttask/proto/task_event.hpp"

#include <algorithm>

namespace disttask::planning {

namespace {

using observability::Level;
using proto::TaskState;
using storage::PlanWrite;

constexpr std::int32_t kResultPage = 500;

/// What a task type sees of the framework while it plans.
class Context final : public plugin::PlanContext {
 public:
  Context(
      const PlanningSettings& settings,
      const PlanningParts& parts,
      const storage::Plan& plan,
      const runtime::CancelToken& token,
      std::int32_t num_nodes
  )
      : settings_(settings), parts_(parts), plan_(plan), token_(token), num_nodes_(num_nodes) {}

  [[nodiscard]] const runtime::CancelToken& token() const noexcept override { return token_; }
  void readResults(
      proto::Step step, std::int32_t after, const std::function<bool(std::int32_t, const std::string&)>& each
  ) override {
    for (;;) {
      const storage::Call call{token_, runtime::Deadline(parts_.clock, settings_.call_timeout)};
      const auto page = parts_.plans.getResultMetas(call, plan_.task_id, step, after, kResultPage);
      for (const auto& [ordinal, meta] : page) {
        if (!each(ordinal, meta)) return;
        after = ordinal;
      }
      if (static_cast<std::int32_t>(page.size()) < kResultPage) return;
    }
  }
  [[nodiscard]] std::int32_t numNodes() const noexcept override { return num_nodes_; }

 private:
  const PlanningSettings& settings_;
  const PlanningParts& parts_;
  const storage::Plan& plan_;
  const runtime::CancelToken token_;
  const std::int32_t num_nodes_;
};

/// True if a plan of this kind may be worked on while its task is in this state.
bool mayGoOn(storage::PlanKind kind, TaskState state) {
  switch (kind) {
    case storage::PlanKind::kStep:
      return isAllowed(state, proto::TaskEvent::kEnterStep);
    case storage::PlanKind::kRevert:
      return state == TaskState::kReverting;
    case storage::PlanKind::kCleanUp:
      return isDone(state);
  }
  return false;
}

/// While batches follow each other quickly, nodes that have work need not hear of each.
constexpr std::chrono::seconds kTellEvery{1};
/// A wait for a node is as long as the back-off after so many tries.
constexpr std::uint32_t kTriesOfWait = 3;

/// An error of the type's own, told from the store's by where it was caught.
struct TypeFailed {
  Error error;
};

template <typename Work>
auto callType(Work&& work) {
  try {
    return work();
  } catch (const plugin::HandBack&) {
    throw;
  } catch (...) {
    throw TypeFailed{currentError()};
  }
}

}  // namespace

PlanJob::PlanJob(
    const PlanningSettings& settings,
    const PlanningParts& parts,
    storage::Plan plan,
    runtime::CancelToken token,
    std::uint32_t waits_before
)
    : settings_(settings),
      parts_(parts),
      plan_(std::move(plan)),
      token_(std::move(token)),
      waits_before_(waits_before) {}

bool PlanJob::run() {
  try {
    return runOrThrow();
  } catch (const TypeFailed& e) {
    const observability::LogContext context(log_fields_);
    if (token_.cancelled()) return true;
    const auto reaction = e.error.reaction();
    bool retryable = reaction == Reaction::kRetry || reaction == Reaction::kBackOff || reaction == Reaction::kReconnect;
    try {
      retryable = retryable || (type_ && type_->isRetryableError(e.error));
    } catch (...) {
      observability::log(
          Level::kWarn, "task type could not judge an error", currentError(), {{"task_id", plan_.task_id}}
      );
    }
    noteError(e.error, retryable);
  } catch (...) {
    if (token_.cancelled()) return true;
    const observability::LogContext context(log_fields_);
    const auto error = currentError();
    // What the store says of a value it says always; any other trouble of the store passes, and the plan goes on from
    // its cursor.
    noteError(error, error.code() != ErrorCode::kStoreContent && error.code() != ErrorCode::kInvalidArgument);
  }
  return true;
}

bool PlanJob::runOrThrow() {
  const auto base = parts_.tasks.getTaskBaseById(call(), plan_.task_id);
  const bool steps = plan_.kind == storage::PlanKind::kStep;
  if (base) log_fields_ = observability::taskFields(*base);
  const observability::LogContext context(log_fields_);
  if (!base || !mayGoOn(plan_.kind, base->state)) return noteFenced();
  const auto task = parts_.tasks.getTaskById(call(), plan_.task_id);
  if (!task) return noteFenced();
  type_ = parts_.types.find(task->type);
  if (!type_) {
    // The owner chose this node for the types that it offered; another may be chosen now.
    throw Exception(Error(
        ErrorCode::kNotFound,
        Reaction::kBackOff,
        "task type '" + task->type + "' is not offered by " + settings_.exec_id
    ));
  }
  try {
    return steps ? planStep(*type_, *task) : runHook(*type_, *task);
  } catch (const plugin::HandBack& e) {
    return token_.cancelled() || handOn(*task, e.error().message());
  }
}

bool PlanJob::runHook(plugin::TaskType& type, const proto::Task& task) {
  const bool reverts = plan_.kind == storage::PlanKind::kRevert;
  callType([&] { reverts ? type.revert(token_, task) : type.cleanUp(token_, task); });
  token_.throwIfCancelled();
  if (parts_.plans.complete(call(), plan_) == PlanWrite::kFenced) return noteFenced();
  observability::log(
      Level::kInfo,
      reverts ? "task reverted by its type" : "task cleaned up by its type",
      {{"task_id", task.id}, {"type", task.type}}
  );
  if (parts_.on_progress) parts_.on_progress();
  return true;
}

bool PlanJob::planStep(plugin::TaskType& type, const proto::Task& task) {
  if (!plan_.step) {
    // Before anything else is asked of the type: what is wrong with the meta is said by whoever knows it best.
    if (plan_.after_step == proto::kStepInit) callType([&] { type.validate(task.meta); });
    const auto step = callType([&] { return type.nextStep(token_, task, plan_.after_step); });
    token_.throwIfCancelled();
    plan_.cleans_up = type.hasCleanUp();
    if (parts_.plans.setStep(call(), task, plan_, step) == PlanWrite::kFenced) return noteFenced();
    plan_.step = step;
    observability::log(
        Level::kInfo,
        "next step",
        {{"task_id", task.id}, {"type", task.type}, {"after", plan_.after_step}, {"step", step}}
    );
  }
  if (*plan_.step == proto::kStepDone) {
    if (parts_.on_progress) parts_.on_progress();
    return true;
  }
  std::optional<runtime::TimePoint> told_at;
  for (bool complete = false; !complete;) {
    token_.throwIfCancelled();
    const auto batch = nextBatch(type, task);
    DISTTASK_FAILPOINT("planning.before_batch");
    if (parts_.plans.writeBatch(call(), task, plan_, batch) == PlanWrite::kFenced) return noteFenced();
    complete = batch.complete;
    const auto now = parts_.clock.now();
    if (!complete && told_at && now - *told_at < kTellEvery) continue;
    told_at = now;
    if (parts_.on_progress) parts_.on_progress();
  }
  observability::log(
      Level::kInfo,
      "step is planned",
      {{"task_id", task.id}, {"step", *plan_.step}, {"subtasks", plan_.next_ordinal - 1}}
  );
  return true;
}

storage::PlanBatch PlanJob::nextBatch(plugin::TaskType& type, const proto::Task& task) {
  const auto nodes = parts_.nodes.getAllNodes(call());
  const auto eligible = eligibleNodes(nodes, task);
  if (eligible.empty())
    throw Exception(Error(ErrorCode::kPrecondition, Reaction::kBackOff, proto::whyNoNode(nodes, task)));
  Context context(settings_, parts_, plan_, token_, static_cast<std::int32_t>(eligible.size()));
  auto planned = callType([&] { return type.plan(context, task, *plan_.step, plan_.cursor, settings_.limits); });
  token_.throwIfCancelled();
  checkSizes(planned);
  storage::PlanBatch batch;
  batch.complete = planned.complete;
  batch.next_cursor = std::move(planned.next_cursor);
  const Spread spread(eligible);
  auto ordinal = plan_.next_ordinal;
  for (auto& meta : planned.metas) batch.rows.push_back({std::move(meta), spread.nodeOf(ordinal++)});
  return batch;
}

void PlanJob::checkSizes(const plugin::PlannedBatch& planned) const {
  const auto refuse = [](std::string message) {
    throw TypeFailed{Error(ErrorCode::kPluginFailed, std::move(message))};
  };
  if (planned.metas.size() > static_cast<std::size_t>(settings_.limits.max_rows)) {
    refuse(
        "the task type planned " + std::to_string(planned.metas.size()) + " subtasks at once, the limit is " +
        std::to_string(settings_.limits.max_rows)
    );
  }
  std::int64_t total = 0;
  for (std::size_t i = 0; i < planned.metas.size(); ++i) {
    const auto bytes = static_cast<std::int64_t>(planned.metas[i].size());
    total += bytes;
    if (bytes > settings_.max_meta_bytes) {
      refuse(
          "the meta of subtask " + std::to_string(plan_.next_ordinal + static_cast<std::int32_t>(i)) + " has " +
          std::to_string(bytes) + " bytes, the store takes " + std::to_string(settings_.max_meta_bytes)
      );
    }
  }
  // One row may be larger than the limit of a batch: it cannot be smaller than itself.
  if (total > settings_.limits.max_bytes && planned.metas.size() > 1) {
    refuse(
        "the task type planned " + std::to_string(total) + " bytes of subtasks at once, the limit is " +
        std::to_string(settings_.limits.max_bytes)
    );
  }
  if (!planned.complete && planned.next_cursor == plan_.cursor) {
    refuse("the task type planned a batch that is not the last and does not move its cursor");
  }
}

bool PlanJob::handOn(const proto::Task& task, const std::string& message) {
  auto candidates = plannerNodes(parts_.nodes.getAllNodes(call()), task, plan_.kind != storage::PlanKind::kStep);
  const auto& others = plan_.handed_back;
  std::erase_if(candidates, [&](const auto& exec_id) {
    return exec_id == settings_.exec_id || std::find(others.begin(), others.end(), exec_id) != others.end();
  });
  if (candidates.empty()) {
    noteError(Error(ErrorCode::kPluginFailed, "no node could plan it: " + message), false);
    return true;
  }
  if (parts_.plans.handOn(call(), plan_, candidates.front(), message) == PlanWrite::kFenced) return noteFenced();
  observability::log(
      Level::kWarn,
      "plan handed on to another node",
      {{"task_id", plan_.task_id}, {"after", plan_.after_step}, {"to", candidates.front()}, {"error", message}}
  );
  if (parts_.on_progress) parts_.on_progress();
  return true;
}

void PlanJob::noteError(const Error& error, bool retryable) {
  // What waits for a node or for the store waits as long as it takes; only the type's own failures are counted against
  // the limit.
  const bool waits = error.code() == ErrorCode::kPrecondition || error.code() == ErrorCode::kNotFound ||
                     (error.reaction() != Reaction::kGiveUp && error.code() != ErrorCode::kPluginFailed);
  const bool fatal = !retryable || (!waits && plan_.retries >= settings_.retry_limit);
  observability::log(
      fatal ? Level::kError : Level::kWarn,
      fatal ? "planning failed" : "planning failed, trying again later",
      error,
      {{"task_id", plan_.task_id}, {"after", plan_.after_step}, {"retries", plan_.retries}}
  );
  const double random = static_cast<double>(randomBelow(1000)) / 1000.0;
  // How long it has waited for a node is not counted, so such a try does not come too soon. A store that goes on
  // refusing is asked ever more rarely: each try costs the type a batch.
  const bool is_for_node = error.code() == ErrorCode::kPrecondition || error.code() == ErrorCode::kNotFound;
  waits_for_store_ = waits && !fatal && !is_for_node;
  const auto more = is_for_node ? kTriesOfWait : waits_for_store_ ? waits_before_ + 1 : 1;
  const auto tries = static_cast<std::uint32_t>(plan_.retries) + more;
  const auto delay = runtime::backoffDelay(settings_.backoff, tries, random);
  try {
    const auto written = waits && !fatal ? parts_.plans.setWait(call(), plan_, error.message(), delay)
                                         : parts_.plans.setError(call(), plan_, error.message(), fatal, delay);
    if (written == PlanWrite::kFenced) static_cast<void>(noteFenced());
    if (fatal && parts_.on_progress) parts_.on_progress();
  } catch (...) {
    // The plan stays as it is: the next look finds it again.
    observability::log(
        Level::kWarn, "planning error could not be written", currentError(), {{"task_id", plan_.task_id}}
    );
  }
}

bool PlanJob::noteFenced() const {
  observability::log(
      Level::kInfo,
      "plan is not ours any more, or its task may not go on",
      {{"task_id", plan_.task_id}, {"after", plan_.after_step}}
  );
  return false;
}

}  // namespace disttask::planning
