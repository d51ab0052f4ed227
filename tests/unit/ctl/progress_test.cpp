#include "output/progress.hpp"

#include <catch2/catch.hpp>

using namespace disttask::ctl;
using namespace std::chrono_literals;
using disttask::runtime::TimePoint;

namespace {
const TimePoint kStart{1h};

Snapshot running(std::int64_t done, std::int64_t rows) {
  return {.state = "running", .step = 1, .done = done, .planned = 40, .failed = 0, .rows = rows, .plan_complete = true};
}
}  // namespace

TEST_CASE("A terminal gets one line that is rewritten, with percent, subtasks, rate and time left") {
  Progress progress(true, 120);
  CHECK(progress.update(running(0, 0), kStart) == "\rstep 1 [------------]   0% 0/40 subtasks\x1b[K");
  CHECK(
      progress.update(running(10, 50'000), kStart + 5s) ==
      "\rstep 1 [###---------]  25% 10/40 subtasks, 10.0k rows/s, ~15 s left\x1b[K"
  );
  CHECK(progress.update(running(10, 50'000), kStart + 5s).empty());
  CHECK(progress.finish() == "\n");
}

TEST_CASE("A line never exceeds the terminal") {
  Progress progress(true, 30);
  CHECK(progress.update(running(20, 0), kStart).size() <= 30 + std::string("\r\x1b[K").size());
}

TEST_CASE("The rate is that of the last ten seconds") {
  Progress progress(true, 120);
  (void)progress.update(running(0, 0), kStart);
  for (int second = 1; second <= 20; ++second) (void)progress.update(running(1, 1000 * second), kStart + second * 1s);
  std::string line;
  for (int second = 21; second <= 40; ++second)
    line = progress.update(running(1, 20'000 + 5000 * (second - 20)), kStart + second * 1s);
  CHECK_THAT(line, Catch::Contains("5.0k rows/s"));
}

TEST_CASE("While planning goes on there is no percent and the number of subtasks is open") {
  Progress progress(false, 0);
  auto snapshot = running(3, 0);
  snapshot.plan_complete = false;
  CHECK(progress.update(snapshot, kStart) == "running, step 1: 3/40+ subtasks\n");
}

TEST_CASE("Elsewhere plain lines come at each change of state or step, else every five seconds if something moved") {
  Progress progress(false, 0);
  CHECK(progress.update({.state = "pending"}, kStart) == "pending\n");
  CHECK(progress.update({.state = "pending"}, kStart + 20s).empty());
  CHECK(progress.update(running(0, 0), kStart + 21s) == "running, step 1:   0% 0/40 subtasks\n");
  CHECK(progress.update(running(4, 0), kStart + 23s).empty());
  CHECK_THAT(progress.update(running(8, 0), kStart + 27s), Catch::StartsWith("running, step 1:  20% 8/40 subtasks"));
  CHECK(progress.update({.state = "succeed", .step = -2}, kStart + 28s) == "succeed\n");
  CHECK(progress.finish().empty());
}

TEST_CASE("Plain lines have the rows, their rate and the time left") {
  Progress progress(false, 0);
  (void)progress.update(running(0, 0), kStart);
  CHECK(
      progress.update(running(10, 50'000), kStart + 5s) ==
      "running, step 1:  25% 10/40 subtasks, 50.0k rows, 10.0k rows/s, about 15 s left\n"
  );
}

TEST_CASE("A view that is redrawn gets a line at each look, moved or not") {
  Progress progress(false, 0);
  CHECK(progress.look(running(0, 0), kStart) == "running, step 1:   0% 0/40 subtasks");
  CHECK(progress.look(running(0, 0), kStart + 1s) == "running, step 1:   0% 0/40 subtasks");
  CHECK(
      progress.look(running(20, 2'000), kStart + 2s) ==
      "running, step 1:  50% 20/40 subtasks, 2.0k rows, 1.0k rows/s, about 2 s left"
  );
}

TEST_CASE("Failed subtasks are shown") {
  Progress progress(false, 0);
  auto snapshot = running(3, 0);
  snapshot.failed = 2;
  CHECK_THAT(progress.update(snapshot, kStart), Catch::Contains("3/40 subtasks, 2 failed"));
}

TEST_CASE("Canceled subtasks are told apart: they are no part of what is done, and no percentage counts them") {
  const Snapshot ended{
      .state = "reverted (cancelled)", .step = 1, .done = 14, .planned = 25, .canceled = 11, .plan_complete = true};
  Progress plain(false, 0);
  CHECK(plain.update(ended, kStart) == "reverted (cancelled), step 1: 14/25 subtasks, 11 canceled\n");
  Progress terminal(true, 120);
  CHECK(terminal.update(ended, kStart) == "\rreverted (cancelled), step 1: 14/25 subtasks, 11 canceled\x1b[K");
}

TEST_CASE("A usual line fits into 80 columns, and a state other than running is said") {
  Progress progress(true, 80);
  auto snapshot = running(1'000, 0);
  snapshot.planned = 9'999;
  (void)progress.update(snapshot, kStart);
  snapshot.done += 1'000;
  snapshot.rows = 80'000'000;
  CHECK_THAT(progress.update(snapshot, kStart + 100s), Catch::Contains("800.0k rows/s, ~13 min 19 s left"));
  snapshot.state = "reverting";
  CHECK_THAT(progress.update(snapshot, kStart + 101s), Catch::StartsWith("\rreverting, step 1 ["));
}
