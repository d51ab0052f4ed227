#include "disttask/storage/run_tokens.hpp"

#include <catch2/catch.hpp>

using disttask::proto::RunToken;
using disttask::proto::SubtaskId;
using disttask::storage::PastRun;
using disttask::storage::RunTokens;

namespace {

constexpr SubtaskId kId{7};
constexpr RunToken kNone{};

}  // namespace

TEST_CASE("A run is live from its begin to its end") {
  RunTokens tokens;
  CHECK(tokens.live(kId) == kNone);
  const auto token = tokens.begin(kId, true).value();
  CHECK(token != kNone);
  CHECK(tokens.live(kId) == token);
  CHECK(tokens.isLive(kId, token));
  CHECK(tokens.numLive() == 1);
  tokens.end(kId);
  CHECK(tokens.live(kId) == kNone);
  CHECK_FALSE(tokens.isLive(kId, token));
  CHECK(tokens.numLive() == 0);
}

TEST_CASE("Tokens are positive, differ, and carry idempotence in bit 0") {
  RunTokens tokens;
  for (std::int64_t i = 1; i <= 200; ++i) {
    const bool idempotent = i % 2 == 0;
    const auto token = tokens.begin(SubtaskId(i), idempotent).value();
    CHECK(token.value() > 1);
    CHECK(disttask::proto::isIdempotent(token) == idempotent);
    CHECK(tokens.isLive(SubtaskId(i), token));
    CHECK_FALSE(tokens.isLive(SubtaskId(i + 1), token));
  }
}

TEST_CASE("A live id is not begun twice") {
  RunTokens tokens;
  const auto token = tokens.begin(kId, true).value();
  CHECK_FALSE(tokens.begin(kId, true));
  CHECK(tokens.live(kId) == token);
  tokens.end(kId);
  const auto next = tokens.begin(kId, true);
  REQUIRE(next);
  CHECK(*next != token);
}

TEST_CASE("A run begins with a token that was drawn for it before") {
  RunTokens tokens;
  CHECK(tokens.begin(kId, RunToken(6)) == RunToken(6));
  CHECK(tokens.isLive(kId, RunToken(6)));
  CHECK_FALSE(tokens.begin(kId, RunToken(8)));
  CHECK(tokens.live(kId) == RunToken(6));
}

TEST_CASE("After a renewal either token is live, until the row was seen with one") {
  RunTokens tokens;
  const auto first = tokens.begin(kId, false).value();
  const auto second = tokens.renew(kId);
  CHECK_FALSE(disttask::proto::isIdempotent(second));
  CHECK(second != first);
  CHECK(tokens.live(kId) == first);
  CHECK(tokens.isLive(kId, first));
  CHECK(tokens.isLive(kId, second));
  tokens.confirm(kId, second);
  CHECK(tokens.live(kId) == second);
  CHECK_FALSE(tokens.isLive(kId, first));
}

TEST_CASE("A confirmation keeps tokens that were drawn later") {
  RunTokens tokens;
  tokens.begin(kId, true);
  const auto second = tokens.renew(kId);
  const auto third = tokens.renew(kId);
  tokens.confirm(kId, second);
  CHECK(tokens.isLive(kId, third));
  tokens.confirm(kId, RunToken(99));
  CHECK(tokens.isLive(kId, second));
}

TEST_CASE("Renewal and confirmation of a run that is not live do nothing") {
  RunTokens tokens;
  CHECK(tokens.renew(kId) == kNone);
  tokens.confirm(kId, RunToken(4));
  tokens.setCheckpointInDoubt(kId, true);
  CHECK_FALSE(tokens.isCheckpointInDoubt(kId));
  CHECK(tokens.numLive() == 0);
}

TEST_CASE("An abandoned run is not live, and all its tokens are remembered") {
  RunTokens tokens;
  const auto first = tokens.begin(kId, true).value();
  const auto second = tokens.renew(kId);
  tokens.abandon(kId, PastRun::kReturned);
  CHECK(tokens.live(kId) == kNone);
  CHECK(tokens.pastOf(first) == PastRun::kReturned);
  CHECK(tokens.pastOf(second) == PastRun::kReturned);
  CHECK(tokens.pastOf(RunToken(4)) == PastRun::kUnknown);
  const auto never = tokens.begin(kId, true).value();
  tokens.abandon(kId, PastRun::kNeverBegun);
  CHECK(tokens.pastOf(never) == PastRun::kNeverBegun);
}

TEST_CASE("The memory of past runs is bounded: the oldest go first") {
  RunTokens tokens;
  const auto oldest = tokens.begin(kId, true).value();
  tokens.abandon(kId, PastRun::kReturned);
  RunToken latest;
  for (int i = 0; i < 10'000; ++i) {
    latest = tokens.begin(kId, true).value();
    tokens.abandon(kId, PastRun::kNeverBegun);
  }
  CHECK(tokens.pastOf(oldest) == PastRun::kUnknown);
  CHECK(tokens.pastOf(latest) == PastRun::kNeverBegun);
}

TEST_CASE("The doubt about a checkpoint belongs to one run") {
  RunTokens tokens;
  tokens.begin(kId, true);
  CHECK_FALSE(tokens.isCheckpointInDoubt(kId));
  tokens.setCheckpointInDoubt(kId, true);
  CHECK(tokens.isCheckpointInDoubt(kId));
  tokens.end(kId);
  tokens.begin(kId, true);
  CHECK_FALSE(tokens.isCheckpointInDoubt(kId));
}

TEST_CASE("What was started is remembered until the run ends") {
  RunTokens tokens;
  const disttask::storage::StartedAs started{disttask::proto::TaskId(1), disttask::proto::Step(2), 3, RunToken(4)};
  tokens.noteStart(kId, started);
  CHECK_FALSE(tokens.startedAs(kId));
  tokens.begin(kId, true);
  CHECK_FALSE(tokens.startedAs(kId));
  tokens.noteStart(kId, started);
  CHECK(tokens.startedAs(kId) == started);
  tokens.end(kId);
  CHECK_FALSE(tokens.startedAs(kId));
}
