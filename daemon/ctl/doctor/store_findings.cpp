#include "parts.hpp"

#include <fmt/format.h>

#include <cstdlib>

namespace disttask::ctl {
namespace {

/// Leases do not use the store's clock; back-offs, deadlines of drains and the age of history do.
constexpr std::int64_t kMaxSkewMs = 2000;

}  // namespace

void diagnoseStore(const DoctorFacts& facts, std::vector<Finding>& findings) {
  if (facts.server) {
    const auto& server = *facts.server;
    if (server.is_read_only) {
      findings.push_back(
          {Severity::kError,
           "store_read_only",
           "",
           "the server is read-only: no node can renew its lease there, nothing runs",
           "name the writable server first in store.endpoints, or make this one writable"}
      );
    }
    if (server.cipher.empty() && !server.is_local) {
      findings.push_back(
          {Severity::kWarning,
           "not_encrypted",
           "",
           "this connection to the store is not encrypted",
           "set tls: {mode: verify, ca: FILE} in the store's settings, or ?tls=verify&ca=FILE in --store"}
      );
    }
    if (std::abs(server.skew_ms) - server.skew_error_ms > kMaxSkewMs) {
      findings.push_back(
          {Severity::kWarning,
           "clock_skew",
           "",
           fmt::format(
               "the store's clock is {:.1f} s {} this host's",
               static_cast<double>(std::abs(server.skew_ms)) / 1000.0,
               server.skew_ms > 0 ? "ahead of" : "behind"
           ),
           "let both hosts keep time by NTP; deadlines and the times that are shown are the store's"}
      );
    }
  }
  if (facts.schema && !facts.schema->isComplete()) {
    const auto& schema = *facts.schema;
    if (schema.version_found != schema.version_expected) {
      // Daemons work with the version before, without what came with this one.
      const bool is_before = schema.version_found > 0 && schema.version_found == schema.version_expected - 1;
      findings.push_back(
          {is_before ? Severity::kWarning : Severity::kError,
           "schema_version",
           "",
           fmt::format(
               "the schema has version {}, this program {} {}",
               schema.version_found,
               is_before ? "would like" : "needs",
               schema.version_expected
           ),
           schema.version_found > schema.version_expected ? "use the newer program" : "run disttaskctl schema install"}
      );
    }
    for (const auto& problem : schema.problems) {
      findings.push_back(
          {Severity::kError, "schema_unfit", "", problem, "run disttaskctl schema install; what differs needs a DBA"}
      );
    }
  }
  for (const auto& missing : facts.missing_rights) {
    findings.push_back(
        {Severity::kWarning,
         "missing_right",
         missing.table,
         fmt::format("this account may not {} {}, which the role {} needs", missing.right, missing.table, facts.role),
         fmt::format("let a DBA run what disttaskctl grants print --role {} prints", facts.role)}
    );
  }
}

}  // namespace disttask::ctl
