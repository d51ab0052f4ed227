#include "findings.hpp"

#include "parts.hpp"

#include <algorithm>

namespace disttask::ctl {

std::string_view toString(Severity severity) noexcept {
  switch (severity) {
    case Severity::kNote:
      return "note";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      break;
  }
  return "error";
}

std::vector<Finding> diagnose(const DoctorFacts& facts) {
  std::vector<Finding> findings;
  diagnoseStore(facts, findings);
  diagnoseNodes(facts, findings);
  diagnoseTypes(facts, findings);
  diagnoseStuckStates(facts, findings);
  std::stable_sort(findings.begin(), findings.end(), [](const auto& a, const auto& b) {
    return a.severity > b.severity;
  });
  return findings;
}

int exitCodeOf(const std::vector<Finding>& findings) noexcept {
  int code = 0;
  for (const auto& finding : findings) {
    if (finding.severity == Severity::kError) return 2;
    if (finding.severity == Severity::kWarning) code = 1;
  }
  return code;
}

Json toJson(const Finding& finding) {
  return Json::Object{
      {"severity", toString(finding.severity)},
      {"code", finding.code},
      {"subject", finding.subject},
      {"text", finding.text},
      {"remedy", finding.remedy},
  };
}

}  // namespace disttask::ctl
