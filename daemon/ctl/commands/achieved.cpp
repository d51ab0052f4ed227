#include "achieved.hpp"

#include "../output/text.hpp"
#include <fmt/format.h>

#include <string_view>

namespace disttask::ctl {
namespace {

/// What subtasks of the types that we ship are to their users. Those of sql_batch are ranges of many chunks each.
std::string_view nounOf(const std::string& type) {
  return type == "csv_import" ? "chunk" : "subtask";
}

/// True for a type whose subtasks commit one chunk after the other, so that one that does not succeed has done a part.
bool keepsParts(const std::string& type) {
  return type == "sql_batch";
}

}  // namespace

std::string achievedText(const proto::Task& task, const std::vector<StepView>& steps) {
  if (!proto::isDone(task.state) || task.state == proto::TaskState::kSucceed) return "";
  std::string text;
  bool has_succeeded = false;
  for (const auto& step : steps) {
    const auto& counts = step.progress.counts;
    if (counts.all() == 0) continue;
    has_succeeded = has_succeeded || counts.succeed > 0;
    if (!text.empty()) text += '\n';
    text += fmt::format(
        "{} of {}{} of step {}",
        formatCount(counts.succeed),
        step.progress.plan_complete ? "" : "at least ",  // it ended while it was planned
        formatNumber(counts.all(), std::string(nounOf(task.type))),
        step.progress.step.value()
    );
    const auto rows_in_part = keepsParts(task.type) ? step.progress.sum.row_count - step.rows_succeeded : 0;
    if (rows_in_part > 0) {
      // What a run did between its last report and the death of its node is known to the ledger only.
      text += ", and of others a part: at least " + formatNumber(step.progress.sum.row_count, "row") +
              " in all, which stay";
    } else if (step.rows_succeeded > 0) {
      text += ", " + formatNumber(step.rows_succeeded, "row");
    }
  }
  // The one type of ours whose chunks stay where they are, and can be gone on from.
  if (has_succeeded && task.type == "csv_import")
    text += fmt::format("\nto go on from there, submit with \"resume_of\": {}", task.id.value());
  return text;
}

}  // namespace disttask::ctl
