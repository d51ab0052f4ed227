#include "chunk_pace.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <set>
#include <stdexcept>

using namespace disttask::csv_import;

namespace {

// Runs many turns on a server that moves rate(n) bytes a second when n turns run at a time; returns the limits of the
// last windows.
std::set<int> settle(const std::function<double(int)>& rate) {
  ChunkPace pace;
  ChunkPace::Time now{std::chrono::seconds(1)};
  std::set<int> last;
  for (int turn = 0; turn != 600; ++turn) {
    pace.enter([] {});
    const double seconds = 1000.0 / rate(pace.limit());
    now += std::chrono::duration_cast<ChunkPace::Time::duration>(std::chrono::duration<double>(seconds));
    pace.leave(1000, now);
    if (turn > 500) last.insert(pace.limit());
  }
  return last;
}

}  // namespace

TEST_CASE("The pace climbs while one more brings more") {
  const auto limits = settle([](int n) { return n < 8 ? 100.0 * n : 800.0; });
  CHECK(*limits.begin() >= 6);
  CHECK(*limits.rbegin() <= 10);
}

TEST_CASE("The pace stays low on a server that more connections make slower") {
  const auto limits = settle([](int n) { return n <= 2 ? 100.0 * n : 200.0 / (n - 1); });
  CHECK(*limits.begin() == 2);
  CHECK(*limits.rbegin() <= 3);
}

TEST_CASE("The pace uses few connections where more bring nothing") {
  const auto limits = settle([](int) { return 100.0; });
  CHECK(*limits.rbegin() <= 3);
}

TEST_CASE("Whoever waits for a turn can be cancelled") {
  ChunkPace pace;
  pace.enter([] {});
  CHECK_THROWS_AS(pace.enter([] { throw std::runtime_error("cancelled"); }), std::runtime_error);
}

TEST_CASE("The pace begins with one turn at a time") {
  ChunkPace pace;
  CHECK(pace.limit() == 1);
}
