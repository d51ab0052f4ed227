#pragma once
#include "disttask_plugin.hpp"
#include "import_options.hpp"
#include "sessions.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace disttask::csv_import {

/// Step `verify`: one subtask reads one key range of the table; the last one to end compares.
class VerifyStep final : public sdk::Step {
 public:
  VerifyStep(ImportOptions options, std::shared_ptr<Sessions> sessions, std::int64_t task);

  std::string runSubtask(sdk::Run& run, const sdk::Subtask& subtask) override;
  void cleanup(const sdk::Host& host) override;

 private:
  const ImportOptions options_;
  const std::shared_ptr<Sessions> sessions_;
  const std::int64_t task_;
};

}  // namespace disttask::csv_import
