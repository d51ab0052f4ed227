#include "abi_step_executor.hpp"

#include "abi_check.hpp"
#include "abi_rows.hpp"
#include "abi_status.hpp"
#include "host_run.hpp"

namespace disttask::plugin {

AbiStepExecutor::AbiStepExecutor(
    const disttask_task_type* type,
    proto::Task task,
    std::int32_t parallel_subtasks,
    std::shared_ptr<const HostServices> services
)
    : type_(type), task_(std::move(task)), parallel_subtasks_(parallel_subtasks), services_(std::move(services)) {}

AbiStepExecutor::~AbiStepExecutor() = default;

CallNames AbiStepExecutor::names(const proto::SubtaskBase* subtask) const {
  return {std::string(fromAbi(type_->name)), task_.id.value(), subtask == nullptr ? 0 : subtask->id.value()};
}

disttask_step& AbiStepExecutor::step() const {
  if (!step_) throw Exception(ErrorCode::kInternal, "a step executor of a plugin is used before init");
  return *step_;
}

void AbiStepExecutor::create(HostCall& call) {
  const disttask_task abi_task = taskToAbi(task_);
  const disttask_resource resource = resourceToAbi(getResource(), parallel_subtasks_);
  OutputSink error(kMaxErrorTextBytes);
  disttask_step* made = nullptr;
  throwUnlessOk(
      type_->create_step(type_, call.abi(), &abi_task, getStep().value(), &resource, &made, error.abi()),
      error,
      call,
      "create_step"
  );
  if (const auto bad = checkStep(made)) {
    call.logMisbehaving(*bad);
    const bool can_destroy = made != nullptr && made->vtbl != nullptr &&
                             made->vtbl->struct_size >= sizeof(disttask_step_vtbl) && made->vtbl->destroy != nullptr;
    if (can_destroy) made->vtbl->destroy(made);
    throw Exception(Error(ErrorCode::kPluginFailed, Reaction::kGiveUp, *bad));
  }
  step_.reset(made);
}

void AbiStepExecutor::init(const runtime::CancelToken& token) {
  HostCall call(*services_, names(), token);
  create(call);
  OutputSink error(kMaxErrorTextBytes);
  try {
    throwUnlessOk(step_->vtbl->init(step_.get(), call.abi(), error.abi()), error, call, "init");
  } catch (...) {
    step_.reset();  // after a failed init there is no cleanup; the next init makes a new object
    throw;
  }
}

void AbiStepExecutor::runSubtask(RunContext& context, proto::Subtask& subtask) {
  callHook(step().vtbl->run_subtask, "run_subtask", context, subtask);
}

void AbiStepExecutor::onFinished(RunContext& context, proto::Subtask& subtask) {
  const Hook hook = step().vtbl->on_finished;
  if (hook != nullptr) callHook(hook, "on_finished", context, subtask);
}

void AbiStepExecutor::callHook(Hook hook, std::string_view name, RunContext& context, proto::Subtask& subtask) {
  HostRun call(*services_, names(&subtask), context);
  OutputSink result(kMaxOutputBytes);
  OutputSink error(kMaxErrorTextBytes);
  const auto run = runs_.begin(context, subtask);
  const disttask_status status = hook(&step(), call.abiRun(), &run->abi, result.abi(), error.abi());
  runs_.end(context, askSummary(*run, context));
  throwUnlessOk(status, error, call, name, hook == step().vtbl->run_subtask);
  std::string output = takeOutput(result, call, "result");
  if (!output.empty()) subtask.meta = std::move(output);
}

std::optional<proto::SubtaskSummary> AbiStepExecutor::askSummary(const ActiveRun& run, const RunContext& context) {
  const auto ask = step().vtbl->realtime_summary;
  if (ask == nullptr) return std::nullopt;
  const proto::SubtaskSummary counted = context.progress();
  disttask_summary summary{sizeof(disttask_summary), 0, counted.row_count, counted.bytes, counted.read_bytes};
  if (ask(&step(), &run.abi, &summary) == 0) return std::nullopt;
  return proto::SubtaskSummary{summary.row_count, summary.bytes, summary.read_bytes};
}

std::optional<proto::SubtaskSummary> AbiStepExecutor::realtimeSummary(const RunContext& context) {
  if (const auto run = runs_.findActive(context)) {
    if (const auto own = askSummary(*run, context)) return own;
  } else if (const auto last = runs_.findLast(context)) {
    return last;
  }
  return plugin::countedBy(context);
}

void AbiStepExecutor::cleanup(const runtime::CancelToken& token) {
  HostCall call(*services_, names(), token);
  OutputSink error(kMaxErrorTextBytes);
  const disttask_status status = step().vtbl->cleanup(step_.get(), call.abi(), error.abi());
  step_.reset();
  throwUnlessOk(status, error, call, "cleanup");
}

void AbiStepExecutor::taskMetaModified(const runtime::CancelToken& token, const std::string& meta) {
  HostCall call(*services_, names(), token);
  OutputSink error(kMaxErrorTextBytes);
  throwUnlessOk(
      step().vtbl->task_meta_modified(step_.get(), call.abi(), toAbi(meta), error.abi()),
      error,
      call,
      "task_meta_modified"
  );
}

void AbiStepExecutor::resourceModified(const runtime::CancelToken& token, const proto::StepResource& resource) {
  HostCall call(*services_, names(), token);
  const disttask_resource abi_resource = resourceToAbi(resource, parallel_subtasks_);
  OutputSink error(kMaxErrorTextBytes);
  throwUnlessOk(
      step().vtbl->resource_modified(step_.get(), call.abi(), &abi_resource, error.abi()),
      error,
      call,
      "resource_modified"
  );
}

}  // namespace disttask::plugin
