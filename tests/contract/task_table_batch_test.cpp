// Many starts and finishes in one call: each keeps its own guard and its own result.
#include "task_table_fixture.hpp"

#include <set>

using namespace disttask;        // NOLINT: a test
using namespace disttask::test;  // NOLINT: a test
using storage::RunFinish;
using storage::RunStart;
using storage::RunWrite;

namespace {

constexpr auto kApplied = TransitionOutcome::kApplied;
constexpr auto kLost = TransitionOutcome::kLost;
constexpr auto kMissing = TransitionOutcome::kMissing;

RunWrite startOf(const proto::SubtaskBase& row, bool idempotent = true) {
  return RunStart{row.id, {row.task_id, row.step, row.ordinal, row.token}, idempotent};
}

RunWrite finishOf(SubtaskId id, std::string meta = "result", std::optional<std::string> summary = std::nullopt) {
  return RunFinish{id, std::move(meta), std::move(summary)};
}

std::vector<TransitionOutcome> write(Rows& rows, const std::vector<RunWrite>& writes) {
  std::vector<TransitionOutcome> outcomes;
  for (const auto& result : rows.table().writeRuns({}, kNode, writes)) {
    CHECK_FALSE(result.error);
    outcomes.push_back(result.outcome);
  }
  return outcomes;
}

using Outcomes = std::vector<TransitionOutcome>;

}  // namespace

TEST_CASE("A batch of starts and finishes does to each row what the single write would do") {
  Rows rows;
  const auto done = rows.start(1);
  const auto with_summary = rows.start(2, false);
  const auto once = rows.add(3);
  const auto again = rows.add(4, SubtaskState::kPending, kNode, kTwo);
  const auto bystander = rows.start(5);
  const auto untouched = rows.add(6);
  const auto started = rows->row(done).value();
  CHECK(
      write(
          rows,
          {startOf(rows.read(again)),
           finishOf(with_summary, "second", R"({"row_count":5})"),
           startOf(rows.read(once), false),
           finishOf(done, "first")}
      ) == Outcomes(4, kApplied)
  );

  const auto first = rows->row(done).value();
  CHECK(first.state == SubtaskState::kSucceed);
  CHECK(first.meta == "first");
  CHECK(proto::parseSummary(first.summary).row_count == 0);
  CHECK(first.token == started.token);
  CHECK(first.start_time == started.start_time);
  CHECK(first.end_time > 0);
  CHECK(first.state_update_time >= started.state_update_time);
  const auto second = rows->row(with_summary).value();
  CHECK(second.state == SubtaskState::kSucceed);
  CHECK(second.meta == "second");
  CHECK(proto::parseSummary(second.summary).row_count == 5);
  for (const auto& [id, idempotent] : {std::pair(once, false), std::pair(again, true)}) {
    const auto row = rows->row(id).value();
    CHECK(row.state == SubtaskState::kRunning);
    CHECK(row.token.value() > 1);
    CHECK(proto::isIdempotent(row.token) == idempotent);
    CHECK(row.token == rows.table().liveToken(id));
    CHECK(row.start_time > 0);
    CHECK(row.end_time == 0);
    CHECK(row.meta == "meta " + std::to_string(row.ordinal));
  }
  CHECK(rows.table().liveToken(once) != rows.table().liveToken(again));
  CHECK(rows.table().liveToken(done) == proto::RunToken{});
  CHECK(rows.state(bystander) == SubtaskState::kRunning);
  CHECK(rows.state(untouched) == SubtaskState::kPending);
  // What was started by a batch ends as always.
  CHECK(rows.table().finishSubtask({}, kNode, once, "end", {}) == kApplied);
  CHECK(write(rows, {finishOf(again, "end")}) == Outcomes{kApplied});
}

TEST_CASE("Each start of a batch gets a token of its own, and a row that is started again another one") {
  Rows rows;
  const auto idempotent = GENERATE(true, false);
  std::vector<RunWrite> starts;
  std::vector<SubtaskId> ids;
  for (int i = 1; i <= 3; ++i) ids.push_back(rows.add(i));
  // With a gap: it differs from the others in id - ordinal.
  if (GENERATE(true, false)) ids.push_back(rows.add(9));
  for (const auto id : ids) starts.push_back(startOf(rows.read(id), idempotent));
  CHECK(write(rows, starts) == Outcomes(ids.size(), kApplied));
  std::set<proto::RunToken> tokens;
  for (const auto id : ids) {
    const auto row = rows->row(id).value();
    CHECK(row.token == rows.table().liveToken(id));
    CHECK(proto::isIdempotent(row.token) == idempotent);
    CHECK(tokens.insert(row.token).second);
    REQUIRE(rows.table().giveBackSubtask({}, kNode, id) == kApplied);
  }
  CHECK(write(rows, starts) == Outcomes(ids.size(), kApplied));
  for (const auto id : ids) CHECK(tokens.insert(rows->row(id)->token).second);
}

TEST_CASE("A row of a batch that was taken meanwhile is lost and changes nothing, the others are written") {
  Rows rows;
  const auto finished = rows.start(1);
  const auto started = rows.add(2);
  const auto victim = rows.start(3);
  const auto wanted = rows.add(4);
  const auto read = rows.read(wanted);
  const auto theft = GENERATE(range(0, 6));
  CAPTURE(theft);
  switch (theft) {
    case 0:
      rows->setExecId(victim, kOtherNode);
      rows->setExecId(wanted, kOtherNode);
      break;
    case 1:
      rows->setState(victim, SubtaskState::kPaused);
      rows->setState(wanted, SubtaskState::kPaused);
      break;
    case 2:
      rows->setToken(victim, kForeignIdempotent);
      rows->setOrdinal(wanted, 9);
      break;
    case 3:
      rows->setToken(victim, std::nullopt);
      rows->setStep(wanted, 2);
      break;
    case 4:
      rows->setState(victim, SubtaskState::kPending);  // our token, but nobody's run
      rows->setTask(wanted, rows.addTask("second", TaskState::kRunning));
      break;
    default:
      rows->setState(victim, SubtaskState::kFailed);
      REQUIRE(rows.other().startSubtask({}, read, kNode, true) == kApplied);
  }
  const auto victim_before = rows->row(victim).value();
  const auto wanted_before = rows->row(wanted).value();
  CHECK(
      write(rows, {finishOf(victim), startOf(read), finishOf(finished), startOf(rows.read(started))}) ==
      Outcomes{kLost, kLost, kApplied, kApplied}
  );
  CHECK(rows.state(finished) == SubtaskState::kSucceed);
  CHECK(rows.state(started) == SubtaskState::kRunning);
  const auto same = [](const proto::Subtask& now, const proto::Subtask& before) {
    CHECK(now.state == before.state);
    CHECK(now.exec_id == before.exec_id);
    CHECK(now.token == before.token);
    CHECK(now.meta == before.meta);
    CHECK(now.end_time == before.end_time);
    CHECK(now.start_time == before.start_time);
  };
  same(rows->row(victim).value(), victim_before);
  same(rows->row(wanted).value(), wanted_before);
  CHECK(rows.table().liveToken(victim) == proto::RunToken{});
  CHECK(rows.table().liveToken(wanted) == proto::RunToken{});
}

TEST_CASE("A row of a batch that is gone is missing") {
  Rows rows;
  const auto gone = rows.start(1);
  const auto never = rows.add(2);
  const auto there = rows.start(3);
  const auto read = rows.read(never);
  rows->remove(gone);
  rows->remove(never);
  CHECK(write(rows, {finishOf(gone), startOf(read), finishOf(there)}) == Outcomes{kMissing, kMissing, kApplied});
}

TEST_CASE("A batch starts no id that has a live run, and finishes none that has not") {
  Rows rows;
  const auto live = rows.start(1);
  const auto idle = rows.add(2);
  const auto token = rows.table().liveToken(live);
  const auto read = rows.read(live);
  CHECK(write(rows, {startOf(read), finishOf(idle)}) == Outcomes{kLost, kLost});
  CHECK(rows.table().liveToken(live) == token);
  CHECK(rows.state(live) == SubtaskState::kRunning);
  CHECK(rows.state(idle) == SubtaskState::kPending);
  CHECK(rows.table().writeRuns({}, kNode, {}).empty());
}

TEST_CASE("A batch carries its own exec id") {
  Rows rows;
  const auto running = rows.start(1);
  const auto pending = rows.add(2);
  const auto results = rows.table().writeRuns({}, kOtherNode, {finishOf(running), startOf(rows.read(pending))});
  REQUIRE(results.size() == 2);
  CHECK(results[0].outcome == kLost);
  CHECK(results[1].outcome == kLost);
  CHECK(rows.state(running) == SubtaskState::kRunning);
  CHECK(rows.state(pending) == SubtaskState::kPending);
}

TEST_CASE("Batches of any size are written whole") {
  Rows rows;
  const auto count = GENERATE(1, 2, 3, 5, 16, 17, 64, 65, 150);
  CAPTURE(count);
  std::vector<RunWrite> writes;
  std::vector<std::pair<SubtaskId, bool>> expected;
  for (int i = 0; i < count; ++i) {
    const bool finish = i % 3 != 0;
    const auto id = finish ? rows.start(i + 1) : rows.add(i + 1);
    writes.push_back(finish ? finishOf(id, "result " + std::to_string(i)) : startOf(rows.read(id)));
    expected.emplace_back(id, finish);
  }
  CHECK(write(rows, writes) == Outcomes(writes.size(), kApplied));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto row = rows->row(expected[i].first).value();
    CHECK(row.state == (expected[i].second ? SubtaskState::kSucceed : SubtaskState::kRunning));
    if (expected[i].second) CHECK(row.meta == "result " + std::to_string(i));
  }
}

TEST_CASE("Results of more than a MiB in one batch are all written, with their exact bytes") {
  Rows rows;
  std::vector<RunWrite> writes;
  std::vector<SubtaskId> ids;
  std::vector<std::string> metas;
  for (int i = 0; i < 6; ++i) {
    ids.push_back(rows.start(i + 1));
    metas.push_back(
        std::string(i == 3 ? 1'500'000 : 400'000, static_cast<char>('a' + i)) + std::string("\0\xff\xfe", 3)
    );
    writes.push_back(finishOf(ids.back(), metas.back()));
  }
  const auto next = rows.add(7);
  writes.push_back(startOf(rows.read(next)));
  CHECK(write(rows, writes) == Outcomes(7, kApplied));
  for (std::size_t i = 0; i < ids.size(); ++i) CHECK((rows->row(ids[i])->meta == metas[i]));
  CHECK(rows.state(next) == SubtaskState::kRunning);
}
