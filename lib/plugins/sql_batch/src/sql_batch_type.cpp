#include "sql_batch_type.hpp"

#include "batch_options.hpp"
#include "batch_session.hpp"
#include "batch_step.hpp"
#include "disttask/plugin_common/translated.hpp"
#include "planning.hpp"

namespace disttask::sql_batch {

using plugin_common::translated;

void SqlBatch::configure(const sdk::Host&, std::string_view config) {
  translated([&] { config_ = parseConfig(config); });
  // One thread runs here, before any work: this module has a copy of the code that keeps the driver.
  sqlclient::initializeDriver();
}

void SqlBatch::validate(std::string_view meta) {
  translated([&] { static_cast<void>(parseOptions(meta)); });
}

sdk::Cursor SqlBatch::plan(sdk::Planning& planning, const sdk::Task& task, std::int32_t, std::string_view cursor) {
  return translated([&] { return planBatch(planning, task, parseOptions(task.meta), config_, *sessions_, cursor); });
}

std::unique_ptr<sdk::Step> SqlBatch::createStep(
    const sdk::Host&, const sdk::Task& task, std::int32_t, const sdk::Resource& resource
) {
  return translated([&]() -> std::unique_ptr<sdk::Step> {
    return std::make_unique<BatchStep>(parseOptions(task.meta), config_, sessions_, task.id, resource);
  });
}

void SqlBatch::revert(const sdk::Host& host, const sdk::Task& task) {
  translated([&] {
    const BatchOptions options = parseOptions(task.meta);
    const BatchSession session(host, *sessions_, placeOf(options.work));
    const std::string done = progressText(session, task.id);
    if (!done.empty()) host.log(sdk::LogLevel::kInfo, "task " + std::to_string(task.id) + " stays as it is: " + done);
  });
}

void SqlBatch::cleanUp(const sdk::Host& host, const sdk::Task& task, bool) {
  translated([&] {
    const BatchOptions options = parseOptions(task.meta);
    const BatchSession session(host, *sessions_, placeOf(options.work));
    session.ledger().markEnded(session.connection(), task.id);
  });
}

}  // namespace disttask::sql_batch
