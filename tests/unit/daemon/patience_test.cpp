#include "patience.hpp"

#include "support/fake_clock.hpp"
#include "support/notify_socket.hpp"
#include "support/temp_dir.hpp"
#include <catch2/catch.hpp>

#include <cstdlib>

using namespace disttask;
using namespace disttask::app;

namespace {

/// Counts the messages that hold `text`.
std::size_t countOf(test::NotifySocket& socket, const std::string& text) {
  const auto& all = socket.all();
  std::size_t count = 0;
  for (auto at = all.find(text); at != std::string::npos; at = all.find(text, at + 1)) ++count;
  return count;
}

/// Plays the service manager, and a clock. One thread.
struct Scene {
  test::TempDir folder;
  test::NotifySocket manager{folder / "notify"};
  test::FakeClock clock;
  test::FakeTimers timers{clock};

  Scene() { ::setenv("NOTIFY_SOCKET", manager.path().c_str(), 1); }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;
  ~Scene() { ::unsetenv("NOTIFY_SOCKET"); }
};

}  // namespace

TEST_CASE("Patience asks for more time every few seconds, and feeds nobody's watchdog on its own") {
  Scene scene;
  const Patience patience(scene.timers, "starting");
  scene.clock.advance(std::chrono::seconds(11));
  CHECK(countOf(scene.manager, "EXTEND_TIMEOUT_USEC=") == 3);
  CHECK_FALSE(scene.manager.has("WATCHDOG=1"));
}

TEST_CASE("Patience feeds the watchdog as often as that wants, and only while the loops move") {
  Scene scene;
  bool moves = true;
  const Patience patience(
      scene.timers, "stopping", std::nullopt, WatchdogFood{[&moves] { return moves; }, std::chrono::seconds(2)}
  );
  scene.clock.advance(std::chrono::seconds(9));
  CHECK(countOf(scene.manager, "WATCHDOG=1") == 5);
  moves = false;
  scene.clock.advance(std::chrono::seconds(10));
  CHECK(countOf(scene.manager, "WATCHDOG=1") == 5);
  CHECK(countOf(scene.manager, "EXTEND_TIMEOUT_USEC=") == 10);
  moves = true;
  scene.clock.advance(std::chrono::seconds(2));
  CHECK(countOf(scene.manager, "WATCHDOG=1") == 6);
}
