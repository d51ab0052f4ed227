// What config check --online and doctor make of what they have seen of a store.
#include "config/online_lines.hpp"

#include "doctor/parts.hpp"
#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::ctl;

namespace {

/// A store of another host where all is well.
DoctorFacts wellFacts() {
  DoctorFacts facts;
  facts.server.emplace();
  facts.server->cipher = "TLS_AES_256_GCM_SHA384";
  facts.schema.emplace();
  facts.schema->version_found = facts.schema->version_expected = 2;
  return facts;
}

const CheckLine& only(const std::vector<CheckLine>& lines, const std::string& check) {
  const CheckLine* found = nullptr;
  for (const auto& line : lines) {
    if (line.check != check) continue;
    if (found != nullptr) FAIL("two lines of " << check);
    found = &line;
  }
  if (found == nullptr) FAIL("no line of " << check);
  return *found;
}

std::vector<Finding> findingsOf(const DoctorFacts& facts) {
  std::vector<Finding> findings;
  diagnoseStore(facts, findings);
  return findings;
}

}  // namespace

TEST_CASE("A server that gives no session has the exit code of a daemon and a remedy that fits") {
  struct Row {
    Error error;
    int exit_code;
    std::string remedy;
  };
  Error certificate(ErrorCode::kStoreSessionUnfit, "TLS with a verified server is asked for: x");
  certificate.setStoreNumber(2026);
  for (const auto& [error, exit_code, remedy] :
       {Row{Error(ErrorCode::kStoreUnavailable, "x"), 69, "see whether the server runs there"},
        Row{Error(ErrorCode::kStoreTooMany, "x"), 69, "see whether the server runs there"},
        Row{Error(ErrorCode::kStoreNoPrivilege, "x"), 77, "see user and password"},
        Row{Error(ErrorCode::kInvalidConfig, "x"), 78, "set right what it names"},
        Row{Error(ErrorCode::kStoreSessionUnfit, "binlog_format=STATEMENT"), 78, "set right what it names"},
        Row{certificate, 78, "see the certificates: "}}) {
    INFO(toString(error.code()) << " " << error.storeNumber());
    const auto line = lineOf("connect", "db:3306", error);
    CHECK(line.state == CheckState::kFailed);
    CHECK(line.exit_code == exit_code);
    CHECK(line.text == error.message());
    CHECK_THAT(line.remedy, Catch::StartsWith(remedy));
  }
}

TEST_CASE("A store where all is well gives a line of each check, and no finding") {
  const auto lines = linesOf(wellFacts(), {});
  for (const auto* check : {"tls", "schema", "grants", "clock"}) {
    CHECK(only(lines, check).state == CheckState::kOk);
    CHECK(only(lines, check).remedy.empty());
  }
  CHECK(findingsOf(wellFacts()).empty());
}

TEST_CASE("A session that leaves the host without TLS is a warning, one of the host itself is well") {
  auto facts = wellFacts();
  facts.server->cipher.clear();
  const auto findings = findingsOf(facts);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].code == "not_encrypted");
  CHECK(findings[0].severity == Severity::kWarning);
  const auto lines = linesOf(facts, {});
  CHECK(only(lines, "tls").state == CheckState::kWarning);
  CHECK(only(lines, "tls").exit_code == 0);
  CHECK_THAT(only(lines, "tls").remedy, Catch::Contains("tls: {mode: verify"));
  CHECK(only(lines, "clock").state == CheckState::kOk);
  facts.server->is_local = true;
  CHECK(findingsOf(facts).empty());
  CHECK(only(linesOf(facts, {}), "tls").state == CheckState::kOk);
}

TEST_CASE("A clock more than two seconds off, whatever the round trip, is a warning") {
  struct Row {
    std::int64_t skew_ms;
    std::int64_t error_ms;
    bool is_off;
  };
  for (const auto& [skew_ms, error_ms, is_off] :
       {Row{2001, 0, true}, Row{-2001, 0, true}, Row{2000, 0, false}, Row{2500, 600, false}, Row{-60000, 10, true}}) {
    INFO(skew_ms << " " << error_ms);
    auto facts = wellFacts();
    facts.server->skew_ms = skew_ms;
    facts.server->skew_error_ms = error_ms;
    const auto lines = linesOf(facts, {});
    CHECK((only(lines, "clock").state == CheckState::kWarning) == is_off);
    CHECK(only(lines, "clock").exit_code == 0);
    CHECK(findingsOf(facts).size() == (is_off ? 1 : 0));
    if (is_off) {
      CHECK(findingsOf(facts)[0].code == "clock_skew");
      CHECK_THAT(only(lines, "clock").text, Catch::Contains(skew_ms > 0 ? "ahead of" : "behind"));
    }
  }
}
