#include "system_cluster.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;

TEST_CASE("systemd-analyze verify has nothing to say about the unit file") {
  const TempDir folder;
  auto text = readFile(UNIT_FILE);
  // It wants the program to be there; an installation has it, a build tree has it elsewhere.
  const auto start = text.find("ExecStart=");
  REQUIRE(start != std::string::npos);
  const auto end = text.find(' ', start);
  text.replace(start, end - start, std::string("ExecStart=") + DISTTASKD);
  const auto result =
      runProgram({"systemd-analyze", "verify", "--man=no", folder.write("disttaskd.service", text).string()});
  CHECK(result.exit_code == 0);
  // Units of the host itself are none of our concern.
  CHECK(result.err.find("disttaskd.service") == std::string::npos);
}
