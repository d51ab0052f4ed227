#include "verify_step.hpp"

#include "task_session.hpp"
#include "verification.hpp"

namespace disttask::csv_import {

VerifyStep::VerifyStep(ImportOptions options, std::shared_ptr<Sessions> sessions, std::int64_t task)
    : options_(std::move(options)), sessions_(std::move(sessions)), task_(task) {}

std::string VerifyStep::runSubtask(sdk::Run& run, const sdk::Subtask& subtask) {
  return translated([&] {
    const VerifyMeta meta = VerifyMeta::parse(subtask.meta);
    const TaskSession session(run, *sessions_, options_, Purpose::kVerify);
    const TargetTable target = describeTarget(session.connection(), options_.schema, options_.table, meta.columns);
    const VerifyResult result =
        verifyPart(session.connection(), options_, target, session.ledger(), task_, session.note(task_).root, meta);
    return result.dump();
  });
}

void VerifyStep::cleanup(const sdk::Host&) {
  sessions_->closeIdle(options_.connection);
}

}  // namespace disttask::csv_import
