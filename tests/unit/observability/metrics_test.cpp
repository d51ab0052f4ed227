#include "disttask/observability/metrics.hpp"

#include <catch2/catch.hpp>

using disttask::observability::Metrics;

TEST_CASE("Metrics are written as Prometheus reads them, with 0 before anything was counted") {
  Metrics metrics;
  auto ends = metrics.counter("x_ends_total", "Ends.", {{"outcome", "failed"}});
  auto slots = metrics.gauge("x_slots", "Slots.");
  auto took = metrics.histogram("x_took_seconds", "Time.", {0.1, 1});
  CHECK_THAT(
      metrics.text(),
      Catch::Contains("# HELP x_ends_total Ends.\n# TYPE x_ends_total counter\nx_ends_total{outcome=\"failed\"} 0\n") &&
          Catch::Contains("x_took_seconds_count 0\n")
  );
  ends.add();
  ends.add(2);
  slots.set(8);
  took.observe(0.5);
  const auto text = metrics.text();
  CHECK_THAT(text, Catch::Contains("x_ends_total{outcome=\"failed\"} 3\n") && Catch::Contains("\nx_slots 8\n"));
  CHECK_THAT(
      text,
      Catch::Contains("x_took_seconds_bucket{le=\"0.1\"} 0\n") &&
          Catch::Contains("x_took_seconds_bucket{le=\"1\"} 1\n") &&
          Catch::Contains("x_took_seconds_bucket{le=\"+Inf\"} 1\n")
  );
  CHECK(text.find("x_ends_total") < text.find("x_slots"));
}

TEST_CASE("A counter that follows another one never goes back") {
  Metrics metrics;
  auto moved = metrics.counter("x_moved_total", "Moved.");
  moved.raiseTo(5);
  moved.raiseTo(3);
  CHECK_THAT(metrics.text(), Catch::Contains("x_moved_total 5\n"));
  moved.raiseTo(6);
  CHECK_THAT(metrics.text(), Catch::Contains("x_moved_total 6\n"));
}

TEST_CASE("The same name and labels are the same series") {
  Metrics metrics;
  metrics.counter("x_total", "X.", {{"a", "b"}}).add();
  metrics.counter("x_total", "X.", {{"a", "b"}}).add();
  CHECK_THAT(metrics.text(), Catch::Contains("x_total{a=\"b\"} 2\n"));
}
