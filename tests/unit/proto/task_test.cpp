#include "disttask/proto/task.hpp"

#include "disttask/base/random.hpp"
#include "disttask/proto/ids.hpp"

#include <catch2/catch.hpp>

#include <limits>

using namespace disttask::proto;

static TaskBase ranked(std::int32_t priority, std::int64_t create_time, std::int64_t id) {
  TaskBase task;
  task.priority = priority;
  task.create_time = create_time;
  task.id = TaskId(id);
  return task;
}

TEST_CASE("Rank is priority, then create time, then id, smaller first", "[proto][rank]") {
  CHECK(outranks(ranked(1, 9, 9), ranked(2, 1, 1)));
  CHECK(outranks(ranked(-5, 9, 9), ranked(1, 1, 1)));
  CHECK(outranks(ranked(1, 1, 9), ranked(1, 2, 1)));
  CHECK(outranks(ranked(1, 1, 1), ranked(1, 1, 2)));
  CHECK_FALSE(outranks(ranked(2, 1, 1), ranked(1, 9, 9)));
  CHECK_FALSE(outranks(ranked(1, 1, 2), ranked(1, 1, 1)));
  CHECK_FALSE(outranks(ranked(1, 1, 1), ranked(1, 1, 1)));
}

TEST_CASE("A run token says in bit 0 whether the subtask may run again, and is never 0", "[proto][ids]") {
  const auto random = GENERATE(
      as<std::int64_t>(),
      0,
      1,
      2,
      3,
      std::numeric_limits<std::int64_t>::max(),
      std::numeric_limits<std::int64_t>::max() - 1
  );
  CAPTURE(random);
  const auto again = makeRunToken(random, true);
  const auto once = makeRunToken(random, false);
  CHECK(isIdempotent(again));
  CHECK_FALSE(isIdempotent(once));
  CHECK(again.value() > 0);
  CHECK(once.value() > 0);
  CHECK(again.value() / 4 == random / 4);
  CHECK_FALSE(isIdempotent(RunToken()));
}

TEST_CASE("Run tokens of random bits differ", "[proto][ids]") {
  CHECK(makeRunToken(disttask::randomToken(), true) != makeRunToken(disttask::randomToken(), true));
}

TEST_CASE("Run tokens of starts that share their random bits differ by id and fit", "[proto][ids]") {
  const auto shared = std::numeric_limits<std::int64_t>::max() >> 1;
  const SubtaskId last((std::int64_t{1} << 61) - 1);
  for (const bool idempotent : {true, false}) {
    const auto token = makeRunToken(shared, last, idempotent);
    CHECK(token.value() > 0);
    CHECK(isIdempotent(token) == idempotent);
    CHECK(makeRunToken(shared, SubtaskId(1), idempotent) != makeRunToken(shared, SubtaskId(2), idempotent));
  }
  CHECK(makeRunToken(0, SubtaskId(0), false) != RunToken());
}

TEST_CASE("Subtask rows name their task by its id in decimal", "[proto][ids]") {
  CHECK(taskKeyOf(TaskId(42)) == "42");
}
