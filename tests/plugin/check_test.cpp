#include "disttask/plugin/plugin_check.hpp"
#include "fakes.hpp"

#include <catch2/catch.hpp>

namespace disttask::test {

TEST_CASE("checkPlugin lists the task types of a good plugin", "[plugin][check]") {
  LoaderBench bench;
  const std::string path = bench.copyFixture("good");
  const auto check = plugin::checkPlugin(path);
  CHECK(check.problem.empty());
  CHECK(check.path == path);
  CHECK(check.name == "fixture");
  CHECK(check.build == "C11");
  REQUIRE(check.types.size() == 1);
  CHECK(check.types[0].name == "fixture");
  CHECK(check.types[0].version == "1");
}

TEST_CASE("checkPlugin says the same sentence as a daemon when a plugin is refused", "[plugin][check]") {
  LoaderBench bench;
  const std::string path = bench.copyFixture("wrong_magic");
  CHECK(plugin::checkPlugin(path).problem == bench.makeLoader().load(path).error().message());
  CHECK(
      plugin::checkPlugin("/nowhere/x.so").problem == "plugin /nowhere/x.so cannot be found: No such file or directory"
  );
}

TEST_CASE("checkPlugin outlives a plugin that ends its process, and says when it did", "[plugin][check]") {
  LoaderBench bench;
  const std::string crashes = bench.copyFixture("crashes_in_init");
  CHECK(
      plugin::checkPlugin(crashes).problem ==
      "plugin " + crashes + " crashed with signal 6 (Aborted) while calling init"
  );
  const std::string exits = bench.copyFixture("exits_in_configure");
  CHECK(
      plugin::checkPlugin(exits).problem ==
      "plugin " + exits + " ended the process with exit code 3 while configuring task type 'fixture'"
  );
}

TEST_CASE("checkPlugin gives up on a plugin that does not come back", "[plugin][check]") {
  LoaderBench bench;
  const std::string hangs = bench.copyFixture("hangs_in_init");
  CHECK(
      plugin::checkPlugin(hangs, std::chrono::seconds(1)).problem ==
      "plugin " + hangs + " did not come back within 1 s while calling init"
  );
}

}  // namespace disttask::test
