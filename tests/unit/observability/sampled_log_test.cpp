#include "disttask/observability/sampled_log.hpp"

#include "disttask/observability/log_capture.hpp"

#include <catch2/catch.hpp>

using namespace disttask::observability;
using namespace std::chrono_literals;

TEST_CASE("The same thing is logged once per interval with the number left out", "[observability][sampled_log]") {
  LogCapture capture;
  SampledLog::TimePoint now{};
  SampledLog sampled(10s, [&] { return now; });
  CHECK(sampled.log(Level::kWarn, "store unavailable", {{"try", 1}}));
  for (int i = 0; i < 5; ++i) {
    now += 1s;
    CHECK_FALSE(sampled.log(Level::kWarn, "store unavailable", {{"try", 2}}));
  }
  now += 5s;
  CHECK(sampled.log(Level::kWarn, "store unavailable", {{"try", 3}}));
  now += 10s;
  CHECK(sampled.log(Level::kWarn, "store unavailable"));
  const auto records = capture.records("store unavailable");
  REQUIRE(records.size() == 3);
  CHECK(records[0].value("repeats").empty());
  CHECK(records[1].value("repeats") == "5");
  CHECK(records[1].value("try") == "3");
  CHECK(records[2].value("repeats").empty());
}

TEST_CASE("Other messages and other keys are other things", "[observability][sampled_log]") {
  LogCapture capture;
  SampledLog sampled(1h);
  CHECK(sampled.log(Level::kInfo, "a"));
  CHECK(sampled.log(Level::kInfo, "b"));
  CHECK(sampled.logFor("endpoint 1", Level::kInfo, "a"));
  CHECK(sampled.logFor("endpoint 2", Level::kInfo, "a"));
  CHECK_FALSE(sampled.logFor("endpoint 2", Level::kInfo, "a"));
  CHECK_FALSE(sampled.log(Level::kInfo, "a"));
  CHECK(capture.records().size() == 4);
}

TEST_CASE("A sampled log goes on when it meets more things than it remembers", "[observability][sampled_log]") {
  LogCapture capture;
  SampledLog sampled(1h);
  int num_written = 0;
  for (int i = 0; i < 3000; ++i) num_written += sampled.logFor(std::to_string(i), Level::kInfo, "many") ? 1 : 0;
  CHECK(num_written == 3000);
}
