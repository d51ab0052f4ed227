#include "abi_task_type.hpp"

#include "abi_rows.hpp"
#include "abi_status.hpp"
#include "abi_step_executor.hpp"
#include "host_call.hpp"
#include "host_planning.hpp"

#include <limits>

namespace disttask::plugin {
namespace {

TaskTypeOptions optionsOf(const disttask_task_type& type) {
  TaskTypeOptions options;
  if (type.retry_limit != DISTTASK_TYPE_RETRY_DEFAULT) options.retry_limit = type.retry_limit;
  if (type.backoff_base_ms > 0) options.backoff.base = std::chrono::milliseconds(type.backoff_base_ms);
  if (type.backoff_cap_ms > 0) options.backoff.cap = std::chrono::milliseconds(type.backoff_cap_ms);
  if (options.backoff.cap < options.backoff.base) options.backoff.cap = options.backoff.base;
  options.parallel_subtasks = type.parallel_subtasks;
  options.max_parallel_subtasks = type.max_parallel_subtasks;
  return options;
}

}  // namespace

AbiTaskType::AbiTaskType(
    const disttask_task_type* type, std::string origin, std::shared_ptr<const HostServices> services
)
    : type_(type),
      name_(fromAbi(type->name)),
      version_(fromAbi(type->version)),
      origin_(std::move(origin)),
      options_(optionsOf(*type)),
      services_(std::move(services)) {}

template <typename Extension>
const Extension* AbiTaskType::findExtension(std::string_view id) const noexcept {
  if (type_->get_extension == nullptr) return nullptr;
  const auto* extension = static_cast<const Extension*>(type_->get_extension(type_, toAbi(id)));
  return extension != nullptr && extension->struct_size >= sizeof(Extension) ? extension : nullptr;
}

void AbiTaskType::configure(const std::string& config) {
  if (type_->configure == nullptr) return;
  HostCall call(*services_, namesOf(proto::TaskId()), {});
  OutputSink error(kMaxErrorTextBytes);
  throwUnlessOk(type_->configure(type_, call.abi(), toAbi(config), error.abi()), error, call, "configure");
}

void AbiTaskType::validate(const std::string& meta) {
  const auto* extension = findExtension<disttask_ext_validate>(DISTTASK_EXT_TYPE_VALIDATE);
  if (extension == nullptr || extension->validate == nullptr) return;
  HostCall call(*services_, namesOf(proto::TaskId()), {});
  OutputSink error(kMaxErrorTextBytes);
  try {
    throwUnlessOk(extension->validate(type_, toAbi(meta), error.abi()), error, call, "validate");
  } catch (const Exception& e) {
    throw Exception(ErrorCode::kInvalidArgument, e.error().message());
  }
}

proto::Step AbiTaskType::nextStep(const runtime::CancelToken& token, const proto::Task& task, proto::Step after) {
  constexpr std::int32_t kUnset = std::numeric_limits<std::int32_t>::min();
  HostCall call(*services_, namesOf(task.id), token);
  const disttask_task abi_task = taskToAbi(task);
  OutputSink error(kMaxErrorTextBytes);
  std::int32_t next = kUnset;
  throwUnlessOk(
      type_->next_step(type_, call.abi(), &abi_task, after.value(), &next, error.abi()), error, call, "next_step", true
  );
  if (next >= 1 || next == DISTTASK_STEP_DONE) return proto::Step(next);
  const std::string what = "next_step gave " + (next == kUnset ? "no step" : "step " + std::to_string(next)) +
                           " after step " + std::to_string(after.value()) + "; 1 or more, or -2 (done), is needed";
  call.logMisbehaving(what);
  throw Exception(Error(ErrorCode::kPluginFailed, Reaction::kGiveUp, what));
}

PlannedBatch AbiTaskType::plan(
    PlanContext& context, const proto::Task& task, proto::Step step, const std::string& cursor, const PlanLimits& limits
) {
  HostPlanning call(*services_, namesOf(task.id), context, limits);
  const disttask_task abi_task = taskToAbi(task);
  OutputSink next_cursor(kMaxOutputBytes);
  OutputSink error(kMaxErrorTextBytes);
  std::int32_t complete = 0;
  throwUnlessOk(
      type_->plan(
          type_, call.abiPlanning(), &abi_task, step.value(), toAbi(cursor), next_cursor.abi(), &complete, error.abi()
      ),
      error,
      call,
      "plan",
      true
  );
  PlannedBatch batch;
  batch.metas = call.takeMetas();
  batch.next_cursor = takeOutput(next_cursor, call, "cursor");
  batch.complete = complete != 0;
  if (!batch.complete && batch.next_cursor == cursor) {
    // The same cursor gives the same subtasks: going on would plan for ever.
    const std::string what = "plan did not move the cursor and is not complete";
    call.logMisbehaving(what);
    throw Exception(Error(ErrorCode::kPluginFailed, Reaction::kGiveUp, what));
  }
  return batch;
}

void AbiTaskType::revert(const runtime::CancelToken& token, const proto::Task& task) {
  const auto* extension = findExtension<disttask_ext_revert>(DISTTASK_EXT_TYPE_REVERT);
  if (extension == nullptr || extension->revert == nullptr) return;
  HostCall call(*services_, namesOf(task.id), token);
  const disttask_task abi_task = taskToAbi(task);
  OutputSink error(kMaxErrorTextBytes);
  throwUnlessOk(extension->revert(type_, call.abi(), &abi_task, error.abi()), error, call, "revert", true);
}

bool AbiTaskType::hasCleanUp() const noexcept {
  const auto* extension = findExtension<disttask_ext_cleanup>(DISTTASK_EXT_TYPE_CLEANUP);
  return extension != nullptr && extension->cleanup != nullptr;
}

void AbiTaskType::cleanUp(const runtime::CancelToken& token, const proto::Task& task) {
  if (!hasCleanUp()) return;
  const auto* extension = findExtension<disttask_ext_cleanup>(DISTTASK_EXT_TYPE_CLEANUP);
  HostCall call(*services_, namesOf(task.id), token);
  const disttask_task abi_task = taskToAbi(task);
  OutputSink error(kMaxErrorTextBytes);
  const std::int32_t succeeded = task.state == proto::TaskState::kSucceed ? 1 : 0;
  const auto status = extension->cleanup(type_, call.abi(), &abi_task, succeeded, error.abi());
  throwUnlessOk(status, error, call, "cleanup", true);
}

std::unique_ptr<StepExecutor> AbiTaskType::createStepExecutor(const proto::Task& task) {
  return std::make_unique<AbiStepExecutor>(type_, task, parallelSubtasksOf(options_, task), services_);
}

bool AbiTaskType::isIdempotent(const proto::Subtask& subtask) {
  const disttask_subtask abi_subtask = subtaskToAbi(subtask);
  return type_->is_idempotent(type_, &abi_subtask) == 1;
}

bool AbiTaskType::isRetryableError(const Error& error) {
  return type_->is_retryable != nullptr && type_->is_retryable(type_, toAbi(error.message())) == 1;
}

}  // namespace disttask::plugin
