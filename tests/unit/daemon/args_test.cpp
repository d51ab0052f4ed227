#include "args.hpp"

#include "exit_codes.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::app;

TEST_CASE("disttaskd without arguments uses the settings below /etc") {
  const auto parsed = std::get<DaemonArguments>(parseDaemonArguments({}));
  CHECK(parsed.config == "/etc/disttask/disttask.yaml");
  CHECK_FALSE(parsed.check_config);
}

TEST_CASE("disttaskd reads its arguments") {
  const auto parsed = std::get<DaemonArguments>(parseDaemonArguments({"--config", "/x.yaml", "--check-config"}));
  CHECK(parsed.config == "/x.yaml");
  CHECK(parsed.check_config);
}

TEST_CASE("disttaskd refuses what it does not know, and explains its exit codes") {
  CHECK(std::get<DaemonEarlyEnd>(parseDaemonArguments({"--confg", "x"})).exit_code == kExitUsage);
  CHECK(std::get<DaemonEarlyEnd>(parseDaemonArguments({"extra"})).exit_code == kExitUsage);
  const auto help = std::get<DaemonEarlyEnd>(parseDaemonArguments({"--help"}));
  CHECK(help.exit_code == kExitClean);
  for (const int code : {kExitStateDir, kExitRunStuck, kExitSchema, kExitLogin, kExitConfig, kExitSecondSignal}) {
    CHECK_THAT(help.text, Catch::Contains("\n  " + std::to_string(code) + " "));
  }
}

TEST_CASE("exitCodeOf tells settings, login, schema and the rest apart") {
  CHECK(exitCodeOf(ErrorCode::kInvalidConfig) == 78);
  CHECK(exitCodeOf(ErrorCode::kStoreSessionUnfit) == 78);
  CHECK(exitCodeOf(ErrorCode::kStoreNoPrivilege) == 77);
  CHECK(exitCodeOf(ErrorCode::kStoreSchema) == 76);
  CHECK(exitCodeOf(ErrorCode::kAlreadyExists) == 73);
  CHECK(exitCodeOf(ErrorCode::kInternal) == 1);
}
