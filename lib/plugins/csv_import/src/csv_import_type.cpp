#include "csv_import_type.hpp"

#include "disttask/sqlclient/connection.hpp"
#include "import_step.hpp"
#include "planning.hpp"
#include "verify_step.hpp"

namespace disttask::csv_import {
namespace {

void markEnded(const sdk::Host& host, Sessions& sessions, const sdk::Task& task) {
  const ImportOptions options = parseOptions(task.meta);
  const TaskSession session(host, sessions, options, Purpose::kImport);
  session.ledger().markEnded(session.connection(), task.id);
}

void tryMarkEnded(const sdk::Host& host, Sessions& sessions, const sdk::Task& task) noexcept {
  try {
    markEnded(host, sessions, task);
  } catch (...) {  // one small row stays, and the task's error is what counts
  }
}

}  // namespace

void CsvImport::configure(const sdk::Host&, std::string_view config) {
  translated([&] { config_ = parseConfig(config); });
  // One thread runs here, before any work: this module has a copy of the code that keeps the driver.
  sqlclient::initializeDriver();
}

void CsvImport::validate(std::string_view meta) {
  translated([&] { static_cast<void>(parseOptions(meta)); });
}

std::int32_t CsvImport::nextStep(const sdk::Host&, const sdk::Task&, std::int32_t after) {
  if (after == sdk::kStepInit) return kStepImport;
  return after == kStepImport ? kStepVerify : sdk::kStepDone;
}

sdk::Cursor CsvImport::plan(
    sdk::Planning& planning, const sdk::Task& task, std::int32_t step, std::string_view cursor
) {
  return translated([&] {
    const ImportOptions options = parseOptions(task.meta);
    if (step == kStepVerify) return planVerify(planning, task, options, *sessions_);
    try {
      return planImport(planning, task, options, config_, *sessions_, cursor);
    } catch (const FileMissing&) {
      throw;  // another node may have the file
    } catch (const Exception& exception) {
      // The task is over, and no hook comes for one that never had a subtask.
      const bool is_over = exception.error().reaction() == Reaction::kGiveUp;
      if (is_over && task.id != 0) tryMarkEnded(planning, *sessions_, task);
      throw;
    }
  });
}

std::unique_ptr<sdk::Step>
CsvImport::createStep(const sdk::Host&, const sdk::Task& task, std::int32_t step, const sdk::Resource&) {
  return translated([&]() -> std::unique_ptr<sdk::Step> {
    ImportOptions options = parseOptions(task.meta);
    if (step == kStepImport) return std::make_unique<ImportStep>(std::move(options), config_, sessions_, task.id);
    if (step == kStepVerify) return std::make_unique<VerifyStep>(std::move(options), sessions_, task.id);
    throw Exception(ErrorCode::kInvalidArgument, "csv_import has no step " + std::to_string(step));
  });
}

void CsvImport::revert(const sdk::Host& host, const sdk::Task& task) {
  const std::string name = "task " + std::to_string(task.id) + ": ";
  try {
    translated([&] {
      const ImportOptions options = parseOptions(task.meta);
      const TaskSession session(host, *sessions_, options, Purpose::kImport);
      const std::string remaining = remainingText(session, task.id);
      if (!remaining.empty()) host.log(sdk::LogLevel::kInfo, name + remaining);
    });
  } catch (const sdk::Cancelled&) {
    throw;
  } catch (const std::exception& exception) {
    // It changes nothing, so a target that does not answer is no reason to wait.
    host.log(sdk::LogLevel::kWarn, name + "how much is imported is not known: " + exception.what());
  }
}

void CsvImport::cleanUp(const sdk::Host& host, const sdk::Task& task, bool) {
  translated([&] { markEnded(host, *sessions_, task); });
}

}  // namespace disttask::csv_import
