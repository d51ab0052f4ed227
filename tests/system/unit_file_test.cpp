// What can be said of the unit files without starting them; tests/service starts them.
#include "exit_codes.hpp"
#include "system_cluster.hpp"

#include <catch2/catch.hpp>

#include <regex>
#include <set>

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

/// The value of a setting of the unit, which has it once.
std::string valueOf(const std::string& text, const std::string& key) {
  const std::regex line("(?:^|\\n)" + key + "=([^\\n]*)");
  const std::sregex_iterator first(text.begin(), text.end(), line);
  REQUIRE(std::distance(first, std::sregex_iterator()) == 1);
  return (*first)[1];
}

/// All first groups of a pattern.
std::set<int> numbersOf(const std::string& text, const std::string& pattern) {
  const std::regex number(pattern);
  std::set<int> numbers;
  for (std::sregex_iterator at(text.begin(), text.end(), number); at != std::sregex_iterator(); ++at) {
    numbers.insert(std::stoi((*at)[1]));
  }
  return numbers;
}

/// The part of a text after one mark and before the next other one.
std::string between(const std::string& text, const std::string& from, const std::string& to) {
  const auto begin = text.find(from);
  REQUIRE(begin != std::string::npos);
  const auto end = text.find(to, begin + from.size());
  REQUIRE(end != std::string::npos);
  return text.substr(begin + from.size(), end - begin - from.size());
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

TEST_CASE("The units restart what a restart can mend, and give up on what ends five times within ten minutes") {
  const auto table = between(
      readFile(std::string(DOCS_DIR) + "/operations.md"),
      "## Exit codes of disttaskd\n",
      "The unit does not restart after"
  );
  const auto hopeless = numbersOf(table, R"(\n\| (\d+) \|[^\n]*\| no \|)");
  CHECK(hopeless == std::set<int>{app::kExitUsage, app::kExitSchema, app::kExitLogin, app::kExitConfig});
  for (const std::string name : {"disttaskd.service", "disttaskd@.service"}) {
    INFO(name);
    const auto text = readFile(std::string(UNIT_DIR) + "/" + name);
    CHECK(valueOf(text, "Restart") == "on-failure");
    CHECK(numbersOf(valueOf(text, "RestartPreventExitStatus"), R"((\d+))") == hopeless);
    // So five starts that fail at once are over long before the interval, and the sixth does not come.
    CHECK(valueOf(text, "RestartSec") == "2s");
    CHECK(valueOf(text, "StartLimitIntervalSec") == "10min");
    CHECK(valueOf(text, "StartLimitBurst") == "5");
  }
  CHECK_THAT(
      readFile(std::string(DOCS_DIR) + "/operations.md"),
      Catch::Contains("again after two seconds, five times within ten minutes")
  );
}

TEST_CASE("The manual page and the operators' page have the exit codes of the program") {
  const std::set<int> codes{
      app::kExitClean,
      app::kExitInternal,
      app::kExitUsage,
      app::kExitStateDir,
      app::kExitRunStuck,
      app::kExitSchema,
      app::kExitLogin,
      app::kExitConfig,
      app::kExitSecondSignal};
  const auto page = between(
      readFile(std::string(DOCS_DIR) + "/operations.md"),
      "## Exit codes of disttaskd\n",
      "The unit does not restart after"
  );
  CHECK(numbersOf(page, R"(\n\| (\d+) \|)") == codes);
  const auto man = between(readFile(DAEMON_MAN_PAGE), ".SH EXIT STATUS\n", ".SH ENVIRONMENT");
  CHECK(numbersOf(man, R"(\.B (\d+)\n)") == codes);
}
