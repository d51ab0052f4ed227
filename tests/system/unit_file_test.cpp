// What can be said of the unit files without starting them; tests/service starts them.
#include "system_cluster.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;

namespace {

/// A unit file in a folder of its own; systemd-analyze wants the program to be there, an installation has it, a build
/// tree has it elsewhere.
std::string unitFile(const TempDir& folder, const std::string& name) {
  auto text = readFile(std::string(UNIT_DIR) + "/" + name);
  const auto start = text.find("ExecStart=");
  REQUIRE(start != std::string::npos);
  const auto end = text.find(' ', start);
  text.replace(start, end - start, std::string("ExecStart=") + DISTTASKD);
  return folder.write(name, text).string();
}

/// The longest that the loops of a daemon with default settings may stand still: connect and read timeout, three times.
constexpr int kLongestStill = 3 * (5 + 10);

}  // namespace

TEST_CASE("systemd-analyze verify has nothing to say about the unit files") {
  for (const std::string name : {"disttaskd.service", "disttaskd@.service"}) {
    INFO(name);
    const TempDir folder;
    const auto result = runProgram({"systemd-analyze", "verify", "--man=no", unitFile(folder, name)});
    CHECK(result.exit_code == 0);
    // Units of the host itself are none of our concern.
    CHECK(result.err.find("disttaskd") == std::string::npos);
  }
}

TEST_CASE("systemd-analyze security finds the units exposed by 2.0 at most") {
  for (const std::string name : {"disttaskd.service", "disttaskd@.service"}) {
    const TempDir folder;
    const auto file = unitFile(folder, name);
    // The threshold counts in tenths.
    const auto result = runProgram({"systemd-analyze", "security", "--offline=true", "--threshold=20", file});
    INFO(result.out << result.err);
    CHECK(result.exit_code == 0);
    CHECK_THAT(result.out, Catch::Contains("Overall exposure level"));
  }
}

TEST_CASE("The drop-ins that are shipped are right, too, and leave the unit protected") {
  std::size_t num_seen = 0;
  for (const auto& drop_in : std::filesystem::directory_iterator(DROP_IN_DIR)) {
    INFO(drop_in.path());
    const TempDir folder;
    const auto file = unitFile(folder, "disttaskd.service");
    const auto beside = folder / "disttaskd.service.d";
    std::filesystem::create_directory(beside);
    std::filesystem::copy_file(drop_in.path(), beside / drop_in.path().filename());
    const auto verified = runProgram({"systemd-analyze", "verify", "--man=no", file});
    CHECK(verified.exit_code == 0);
    CHECK(verified.err.find("disttaskd") == std::string::npos);
    CHECK(runProgram({"systemd-analyze", "security", "--offline=true", "--threshold=20", file}).exit_code == 0);
    ++num_seen;
  }
  CHECK(num_seen >= 5);
}

TEST_CASE("The watchdog waits longer than loops may wait for the store") {
  const auto text = readFile(std::string(UNIT_DIR) + "/disttaskd.service");
  const std::string key = "\nWatchdogSec=";
  const auto at = text.find(key);
  REQUIRE(at != std::string::npos);
  std::size_t digits = 0;
  const auto seconds = std::stoi(text.substr(at + key.size()), &digits);
  CHECK(text.substr(at + key.size() + digits, 2) == "s\n");
  CHECK(seconds >= kLongestStill);
}
