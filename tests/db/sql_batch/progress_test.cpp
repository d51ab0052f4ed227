#include "batch_fixture.hpp"
#include "batch_step.hpp"
#include "disttask/base/error.hpp"

#include "support/fake_clock.hpp"
#include <catch2/catch.hpp>

#include <algorithm>

using namespace disttask;
using namespace disttask::sql_batch;
using namespace std::chrono_literals;
using test::BatchFixture;

namespace {

/// A task of eight subtasks, each of one chunk of 100 rows, whose notes go by a clock of the test.
struct Noted : BatchFixture {
  Noted() {
    makeNumbers(800);
    task_meta = meta(
        "update t set n = n + 1 where {range}", "t", R"("subtask_rows": 100, "chunk_rows": 100, "chunk_time": "0s")"
    );
    metas = plan(1, task_meta);
  }
  /// What a node has of the step.
  [[nodiscard]] std::unique_ptr<sdk::Step> node() const {
    return std::make_unique<BatchStep>(
        parseOptions(task_meta),
        PluginConfig{},
        std::make_shared<plugin_common::Sessions>("batch-watch"),
        1,
        sdk::Resource{},
        clock
    );
  }
  /// Runs a subtask and returns what its checkpoint says of the whole task; null = nothing.
  Json wholeTask(sdk::Step& step, std::int32_t ordinal) {
    run(step, ordinal, metas.at(static_cast<std::size_t>(ordinal - 1)));
    const auto checkpoint = Json::parse(checkpoints[ordinal]);
    CHECK(checkpoint.find("begun")->asBool());
    const Json* whole = checkpoint.find("whole_task");
    if (whole != nullptr) CHECK(checkpoint.find("chunk_rows")->asInt() == 100);
    return whole == nullptr ? Json() : *whole;
  }
  [[nodiscard]] bool logged(const std::string& text) const {
    const auto lines = host->log();
    return std::any_of(lines.begin(), lines.end(), [&](const auto& line) {
      return line.find(text) != std::string::npos;
    });
  }

  test::FakeClock clock;
  std::string task_meta;
  std::vector<std::string> metas;
};

}  // namespace

TEST_CASE("Every ten seconds a run notes how far the whole task is, from the second note on with rate and time left") {
  Noted f;
  const auto a = f.node();
  const auto b = f.node();
  CHECK(f.wholeTask(*a, 1).isNull());
  f.clock.advance(9999ms);
  CHECK(f.wholeTask(*a, 2).isNull());
  f.clock.advance(1ms);
  CHECK(f.wholeTask(*a, 3).dump(0) == Json::parse(R"({"rows": 300, "changed": 300, "rows_planned": 800})").dump(0));
  CHECK(f.logged("3 of 8 subtasks, 300 of 800 rows, chunks of 100 rows"));

  f.clock.advance(10s);
  CHECK(
      f.wholeTask(*a, 4).dump(0) ==
      Json::parse(R"({"rows": 400, "changed": 400, "rows_planned": 800, "rows_per_second": 10, "seconds_left": 40})")
          .dump(0)
  );
  CHECK(f.logged("4 of 8 subtasks, 400 of 800 rows, 10 rows/s, about 40 s left, chunks of 100 rows"));

  // The one throttle that is always at work is told with the progress.
  Json slower = Json::parse(f.task_meta);
  slower["sleep_ratio"] = 0.5;
  a->taskMetaModified(f.host->host(), slower.dump());

  // What another node does counts as well: rate and rest are the task's, not this run's.
  CHECK(f.wholeTask(*b, 5).isNull());
  CHECK(f.wholeTask(*b, 6).isNull());
  f.clock.advance(15s);
  CHECK(
      f.wholeTask(*a, 7).dump(0) ==
      Json::parse(R"({"rows": 700, "changed": 700, "rows_planned": 800, "rows_per_second": 20, "seconds_left": 5})")
          .dump(0)
  );
  CHECK(f.logged(
      "7 of 8 subtasks, 700 of 800 rows, 20 rows/s, about 5 s left, chunks of 100 rows, pauses of 0.5 times their time"
  ));
  CHECK(Json::parse(f.checkpoints[7]).find("sleep_ratio")->asDouble() == 0.5);
}
