#include "disttask/base/failpoint.hpp"

#include "disttask/base/error.hpp"
#include "disttask/runtime/thread_group.hpp"

#include "support/child_process.hpp"
#include "support/temp_dir.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <csignal>
#include <filesystem>

using namespace disttask;

namespace {

struct Disarm {
  ~Disarm() { Failpoints::disarmAll(); }
};

}  // namespace

TEST_CASE("A failpoint runs its action while it is armed, and only its own", "[base][failpoint]") {
  const Disarm disarm;
  int passes = 0;
  Failpoints::arm("test.here", [&] { ++passes; });
  DISTTASK_FAILPOINT("test.here");
  DISTTASK_FAILPOINT("test.there");
  CHECK(passes == 1);
  Failpoints::arm("test.here", [&] { passes += 10; });
  DISTTASK_FAILPOINT("test.here");
  CHECK(passes == 11);
  Failpoints::disarm("test.here");
  DISTTASK_FAILPOINT("test.here");
  CHECK(passes == 11);
}

TEST_CASE("A failpoint armed by text throws at each pass, or at the one named", "[base][failpoint]") {
  const Disarm disarm;
  Failpoints::armFromText("test.always=throw;test.third=3*throw;");
  for (int i = 0; i < 2; ++i) {
    try {
      DISTTASK_FAILPOINT("test.always");
      FAIL("it did not throw");
    } catch (const Exception& e) {
      CHECK(e.error().reaction() == Reaction::kRetry);
      CHECK(e.error().message() == "failpoint test.always");
    }
  }
  const auto pass = [] { DISTTASK_FAILPOINT("test.third"); };
  CHECK_NOTHROW(pass());
  CHECK_NOTHROW(pass());
  CHECK_THROWS_AS(pass(), Exception);
  CHECK_NOTHROW(pass());
}

TEST_CASE("A malformed failpoint text is refused and names the item", "[base][failpoint]") {
  const Disarm disarm;
  const std::string item = GENERATE("nothing", "=throw", "a=", "a=explode", "a=0*throw", "a=x*throw", "a=touch:");
  CAPTURE(item);
  try {
    Failpoints::armFromText("good=throw;" + item);
    FAIL("it was taken");
  } catch (const Exception& e) {
    CHECK(e.error().code() == ErrorCode::kInvalidArgument);
    CHECK_THAT(e.error().message(), Catch::Contains("found '" + item + "'"));
  }
}

TEST_CASE("A touch failpoint holds its thread until the file is removed", "[base][failpoint]") {
  const Disarm disarm;
  const test::TempDir folder;
  const auto file = folder / "held*here";  // a star in a path is no pass number
  Failpoints::armFromText("test.hold=touch:" + file.string());
  test::TestSignal<int> passed;
  runtime::ThreadGroup threads;
  threads.spawn("held", [&] {
    DISTTASK_FAILPOINT("test.hold");
    passed.send(1);
  });
  REQUIRE(test::eventually([&] { return std::filesystem::exists(file); }));
  CHECK_FALSE(passed.poll());
  std::filesystem::remove(file);
  CHECK(passed.wait());
}

// The child is this binary with the hidden case below.
static std::string self() {
  return std::filesystem::read_symlink("/proc/self/exe").string();
}

TEST_CASE("child: passes a failpoint", "[.child]") {
  DISTTASK_FAILPOINT("test.child");
}

TEST_CASE("The environment arms failpoints of a child process", "[base][failpoint]") {
  const auto start = [](const std::string& text) {
    return test::ChildProcess({self(), "[.child]"}, {{"DISTTASK_FAILPOINTS", text}});
  };
  SECTION("exit ends it as kill -9 does") {
    auto child = start("test.child=exit");
    const auto end = child.wait();
    REQUIRE(end);
    CHECK(end->signal == SIGKILL);
  }
  SECTION("a malformed text aborts it with the reason") {
    auto child = start("test.child");
    const auto end = child.wait();
    REQUIRE(end);
    CHECK((end->signal == SIGABRT || end->exit_code != 0));
    CHECK_THAT(child.errors(), Catch::Contains("DISTTASK_FAILPOINTS: failpoint item: expected name=action"));
  }
  SECTION("one that is not passed changes nothing") {
    auto child = start("test.other=exit");
    const auto end = child.wait();
    REQUIRE(end);
    CHECK(end->exit_code == 0);
  }
}
