#include "online_lines.hpp"

#include "../../exit_codes.hpp"
#include "../doctor/parts.hpp"
#include <fmt/format.h>

#include <cstdlib>
#include <map>

namespace disttask::ctl {
namespace {

using Lines = std::vector<CheckLine>;

constexpr int kTlsFailed = 2026;

/// What to do about a server that gives no session, and with which exit code a daemon would end.
struct Remedy {
  const char* text;
  int exit_code;
};

Remedy remedyOf(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kStoreNoPrivilege:
      return {"see user and password; a DBA makes the account by what disttaskctl grants print shows", app::kExitLogin};
    case ErrorCode::kStoreSessionUnfit:
      if (error.storeNumber() != kTlsFailed) return {"set right what it names", app::kExitConfig};
      return {
          "see the certificates: the server's must be in its time, signed by the CA of tls.ca, and made for the name "
          "or "
          "address of the endpoint",
          app::kExitConfig};
    case ErrorCode::kInvalidConfig:
      return {"set right what it names", app::kExitConfig};
    default:
      return {"see whether the server runs there, is reached from here, and what store.tls says", app::kCtlUnavailable};
  }
}

/// Of which check a finding of the doctor speaks.
std::string checkOf(const std::string& code) {
  static const std::map<std::string, std::string> kChecks{
      {"store_read_only", "connect"},
      {"not_encrypted", "tls"},
      {"clock_skew", "clock"},
      {"schema_version", "schema"},
      {"schema_unfit", "schema"},
      {"missing_right", "grants"}};
  const auto at = kChecks.find(code);
  return at == kChecks.end() ? code : at->second;
}

CheckLine fromFinding(const Finding& finding) {
  auto check = checkOf(finding.code);
  // A daemon needs each right that it lacks here.
  const bool failed = finding.severity == Severity::kError || check == "grants";
  const int code = check == "schema" ? app::kExitSchema : check == "grants" ? app::kExitLogin : app::kCtlUnavailable;
  return {
      std::move(check),
      finding.subject,
      failed ? CheckState::kFailed : CheckState::kWarning,
      finding.text,
      finding.remedy,
      failed ? code : 0};
}

}  // namespace

std::string_view toString(CheckState state) noexcept {
  switch (state) {
    case CheckState::kOk:
      return "ok";
    case CheckState::kWarning:
      return "warning";
    case CheckState::kFailed:
      break;
  }
  return "failed";
}

Json toJson(const CheckLine& line) {
  return Json::Object{
      {"check", line.check},
      {"subject", line.subject},
      {"state", toString(line.state)},
      {"text", line.text},
      {"remedy", line.remedy}};
}

CheckLine lineOf(std::string check, std::string subject, const Error& error) {
  const auto remedy = remedyOf(error);
  return {std::move(check), std::move(subject), CheckState::kFailed, error.message(), remedy.text, remedy.exit_code};
}

std::vector<CheckLine> linesOf(const DoctorFacts& seen, const settings::StoreSettings& store) {
  Lines lines;
  std::vector<Finding> findings;
  diagnoseStore(seen, findings);
  std::map<std::string, int> told;
  Lines wrong;
  for (const auto& finding : findings) {
    wrong.push_back(fromFinding(finding));
    ++told[wrong.back().check];
  }
  const auto ok = [&](const std::string& check, const std::string& text) {
    if (told[check] == 0) lines.push_back({check, "", CheckState::kOk, text, "", 0});
  };
  if (seen.server) {
    const auto& server = *seen.server;
    ok("tls", server.cipher.empty() ? "not encrypted; the server is on this host" : "encrypted by " + server.cipher);
  }
  if (seen.schema) ok("schema", fmt::format("version {} of {}", seen.schema->version_found, store.schema));
  if (seen.server) {
    ok("grants", store.user + " has the rights of a daemon");
    ok("clock",
       fmt::format(
           "the store's clock is within {} ms of this host's",
           std::abs(seen.server->skew_ms) + seen.server->skew_error_ms
       ));
  }
  lines.insert(lines.end(), wrong.begin(), wrong.end());
  return lines;
}

}  // namespace disttask::ctl
