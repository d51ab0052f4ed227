// Starts, ends, summaries and checkpoints of live runs, and each guard that they carry.
#include "disttask/base/utf8.hpp"
#include "disttask/proto/row_error.hpp"
#include "task_table_fixture.hpp"

#include <algorithm>

using namespace disttask;        // NOLINT: a test
using namespace disttask::test;  // NOLINT: a test

namespace {

constexpr auto kApplied = TransitionOutcome::kApplied;
constexpr auto kLost = TransitionOutcome::kLost;
constexpr auto kMissing = TransitionOutcome::kMissing;

/// What somebody else does to a running row behind its process's back.
const std::vector<std::pair<std::string, std::function<void(Rows&, SubtaskId)>>>& thefts() {
  static const std::vector<std::pair<std::string, std::function<void(Rows&, SubtaskId)>>> kThefts{
      {"moved to another node", [](Rows& rows, SubtaskId id) { rows->setExecId(id, kOtherNode); }},
      {"pending on another node",
       [](Rows& rows, SubtaskId id) {
         rows->setState(id, SubtaskState::kPending);
         rows->setExecId(id, kOtherNode);
       }},
      {"succeeded on another node",
       [](Rows& rows, SubtaskId id) {
         rows->setState(id, SubtaskState::kSucceed);
         rows->setExecId(id, kOtherNode);
       }},
      {"paused", [](Rows& rows, SubtaskId id) { rows->setState(id, SubtaskState::kPaused); }},
      {"canceled", [](Rows& rows, SubtaskId id) { rows->setState(id, SubtaskState::kCanceled); }},
      {"failed by the owner", [](Rows& rows, SubtaskId id) { rows->setState(id, SubtaskState::kFailed); }},
      {"running under another token", [](Rows& rows, SubtaskId id) { rows->setToken(id, kForeignIdempotent); }},
      {"running without a token", [](Rows& rows, SubtaskId id) { rows->setToken(id, std::nullopt); }},
      {"started by another process of this node",
       [](Rows& rows, SubtaskId id) {
         rows->setState(id, SubtaskState::kPending);
         REQUIRE(rows.other().startSubtask({}, rows.read(id), kNode, true) == kApplied);
       }},
  };
  return kThefts;
}

/// Compares all that a write of ours could have changed.
void checkSame(const proto::Subtask& now, const proto::Subtask& before) {
  CHECK(now.exec_id == before.exec_id);
  CHECK(now.token == before.token);
  CHECK(now.meta == before.meta);
  CHECK(now.summary == before.summary);
  CHECK(now.error == before.error);
  CHECK(now.start_time == before.start_time);
  CHECK(now.end_time == before.end_time);
}

}  // namespace

TEST_CASE("A start makes the row running with a token whose bit 0 says idempotent") {
  Rows rows;
  const bool idempotent = GENERATE(false, true);
  const auto id = rows.start(1, idempotent);
  const auto row = rows->row(id).value();
  CHECK(row.state == SubtaskState::kRunning);
  CHECK(row.exec_id == kNode);
  CHECK(row.start_time >= row.create_time);
  CHECK(row.state_update_time >= row.start_time);
  CHECK(row.token.value() > 0);
  CHECK(proto::isIdempotent(row.token) == idempotent);
  CHECK(rows.table().liveToken(id) == row.token);
  CHECK(rows.other().liveToken(id) == proto::RunToken{});
}

TEST_CASE("Each start draws a fresh token") {
  Rows rows;
  const auto id = rows.start(1);
  const auto first = rows.read(id).token;
  REQUIRE(rows.table().giveBackSubtask({}, kNode, id) == kApplied);
  REQUIRE(rows.table().startSubtask({}, rows.read(id), kNode, true) == kApplied);
  CHECK(rows.read(id).token != first);
}

TEST_CASE("A start by a node that does not have the row is lost") {
  Rows rows;
  const auto id = rows.add(1);
  CHECK(rows.table().startSubtask({}, rows.read(id), kOtherNode, true) == kLost);
  CHECK(rows.state(id) == SubtaskState::kPending);
  CHECK(rows.table().liveToken(id) == proto::RunToken{});
}

TEST_CASE("A start of a row that was moved, taken, ended or held meanwhile is lost") {
  Rows rows;
  const auto id = rows.add(1);
  const auto read = rows.read(id);
  SECTION("moved") {
    rows->setExecId(id, kOtherNode);
  }
  SECTION("paused") {
    rows->setState(id, SubtaskState::kPaused);
  }
  SECTION("canceled") {
    rows->setState(id, SubtaskState::kCanceled);
  }
  SECTION("failed") {
    rows->setState(id, SubtaskState::kFailed);
  }
  SECTION("done") {
    rows->setState(id, SubtaskState::kSucceed);
  }
  SECTION("started by another process") {
    REQUIRE(rows.other().startSubtask({}, read, kNode, true) == kApplied);
  }
  const auto before = rows->row(id).value();
  CHECK(rows.table().startSubtask({}, read, kNode, true) == kLost);
  CHECK(rows->row(id)->state == before.state);
  checkSame(rows->row(id).value(), before);
  CHECK(rows.table().liveToken(id) == proto::RunToken{});
}

TEST_CASE("A start of an id that is another task's, step's or ordinal's row by now is lost") {
  Rows rows;
  const auto id = rows.add(1);
  const auto read = rows.read(id);
  SECTION("task") {
    rows->setTask(id, rows.addTask("second", TaskState::kRunning));
  }
  SECTION("step") {
    rows->setStep(id, 2);
  }
  SECTION("ordinal") {
    rows->setOrdinal(id, 9);
  }
  CHECK(rows.table().startSubtask({}, read, kNode, true) == kLost);
  CHECK(rows.state(id) == SubtaskState::kPending);
}

TEST_CASE("A start of a row that is gone finds it missing") {
  Rows rows;
  const auto id = rows.add(1);
  const auto read = rows.read(id);
  rows->remove(id);
  CHECK(rows.table().startSubtask({}, read, kNode, true) == kMissing);
}

TEST_CASE("An id with a live run is not started again") {
  Rows rows;
  const auto id = rows.add(1);
  const auto read = rows.read(id);
  REQUIRE(rows.table().startSubtask({}, read, kNode, true) == kApplied);
  const auto token = rows.read(id).token;
  CHECK(rows.table().startSubtask({}, read, kNode, true) == kLost);
  CHECK(rows.read(id).token == token);
  CHECK(rows.table().liveToken(id) == token);
}

TEST_CASE("A finish writes meta, summary and times, keeps the start time, and ends the run") {
  Rows rows;
  const auto id = rows.start(1);
  const auto started = rows->row(id).value();
  CHECK(rows.table().finishSubtask({}, kNode, id, "result", R"({"row_count":5})") == kApplied);
  const auto row = rows->row(id).value();
  CHECK(row.state == SubtaskState::kSucceed);
  CHECK(row.meta == "result");
  CHECK(proto::parseSummary(row.summary).row_count == 5);
  CHECK(row.start_time == started.start_time);
  CHECK(row.state_update_time >= started.state_update_time);
  CHECK(row.end_time > 0);
  CHECK(row.error.empty());
  CHECK(rows.table().liveToken(id) == proto::RunToken{});
}

TEST_CASE("A finish without a summary leaves the one that is there") {
  Rows rows;
  const auto id = rows.start(1);
  REQUIRE(rows.table().updateSubtaskSummary({}, kNode, id, R"({"row_count":3})") == kApplied);
  REQUIRE(rows.table().finishSubtask({}, kNode, id, "result", std::nullopt) == kApplied);
  CHECK(proto::parseSummary(rows->row(id)->summary).row_count == 3);
}

TEST_CASE("Meta keeps NUL bytes and bytes that are no text") {
  Rows rows;
  const auto id = rows.start(1);
  const std::string meta("a\0b\xff\xfe\0", 6);
  REQUIRE(rows.table().finishSubtask({}, kNode, id, meta, std::nullopt) == kApplied);
  CHECK(rows->row(id)->meta == meta);
}

TEST_CASE("A meta of one MiB is written whole") {
  Rows rows;
  const auto id = rows.start(1);
  const std::string meta(1 << 20, 'x');
  REQUIRE(rows.table().finishSubtask({}, kNode, id, meta, std::nullopt) == kApplied);
  CHECK(rows->row(id)->meta == meta);
}

TEST_CASE("A run ends as failed, canceled or paused with the times of that state") {
  Rows rows;
  const auto id = rows.start(1);
  const auto state = GENERATE(SubtaskState::kFailed, SubtaskState::kCanceled, SubtaskState::kPaused);
  CAPTURE(state);
  const std::optional<Error> error =
      state == SubtaskState::kFailed ? std::optional(Error(ErrorCode::kPluginFailed, "disk is full")) : std::nullopt;
  CHECK(rows.table().updateSubtaskStateAndError({}, kNode, id, state, error) == kApplied);
  const auto row = rows->row(id).value();
  CHECK(row.state == state);
  CHECK(row.error == (error ? "disk is full" : ""));
  CHECK(row.state_update_time > 0);
  CHECK((row.end_time > 0) == proto::isDone(state));
  CHECK(rows.table().liveToken(id) == proto::RunToken{});
}

TEST_CASE("A run cannot end as pending or succeeded by the general write") {
  Rows rows;
  const auto id = rows.start(1);
  CHECK_THROWS_AS(rows.table().updateSubtaskStateAndError({}, kNode, id, SubtaskState::kSucceed, {}), Exception);
  CHECK_THROWS_AS(rows.table().updateSubtaskStateAndError({}, kNode, id, SubtaskState::kPending, {}), Exception);
  CHECK(rows.state(id) == SubtaskState::kRunning);
}

TEST_CASE("An error text that is not UTF-8 is stored as valid text") {
  Rows rows;
  const auto id = rows.start(1);
  const Error error(ErrorCode::kPluginFailed, std::string("bad \xff\xc3( and \0 here", 18));
  REQUIRE(rows.table().updateSubtaskStateAndError({}, kNode, id, SubtaskState::kFailed, error) == kApplied);
  const auto text = rows->row(id)->error;
  CHECK(text.rfind("bad ", 0) == 0);
  CHECK(findInvalidUtf8(text) == std::string::npos);
}

TEST_CASE("An error text beyond 60 KiB is cut, not refused") {
  Rows rows;
  const auto id = rows.start(1);
  const Error error(ErrorCode::kPluginFailed, std::string(200'000, 'e') + "\n\"");
  REQUIRE(rows.table().updateSubtaskStateAndError({}, kNode, id, SubtaskState::kFailed, error) == kApplied);
  const auto text = rows->row(id)->error;
  CHECK(text.size() > 50'000);
  CHECK(text.size() <= proto::kMaxErrorBytes);
  CHECK(text.substr(0, 10) == "eeeeeeeeee");
}

TEST_CASE("A give-back makes the row pending and counts nothing") {
  Rows rows;
  const auto id = rows.start(1);
  CHECK(rows.table().giveBackSubtask({}, kNode, id) == kApplied);
  CHECK(rows.state(id) == SubtaskState::kPending);
  CHECK(rows->row(id)->end_time == 0);
  CHECK(rows->attempt(id).abnormal_ends == 0);
  CHECK(rows->attempt(id).retries == 0);
  CHECK(rows.table().liveToken(id) == proto::RunToken{});
  CHECK(rows.picked() == std::vector<std::int32_t>{1});
}

TEST_CASE("Every end of a run that lost its row is lost and changes nothing") {
  for (const auto& [theft, steal] : thefts()) {
    const std::vector<std::pair<std::string, std::function<TransitionOutcome(Rows&, SubtaskId)>>> ends{
        {"finish",
         [](Rows& rows, SubtaskId id) {
           return rows.table().finishSubtask({}, kNode, id, "result", R"({"row_count":1})");
         }},
        {"finish without summary",
         [](Rows& rows, SubtaskId id) { return rows.table().finishSubtask({}, kNode, id, "result", std::nullopt); }},
        {"pause",
         [](Rows& rows, SubtaskId id) {
           return rows.table().updateSubtaskStateAndError({}, kNode, id, SubtaskState::kPaused, {});
         }},
        {"fail",
         [](Rows& rows, SubtaskId id) {
           return rows.table().updateSubtaskStateAndError(
               {}, kNode, id, SubtaskState::kFailed, Error(ErrorCode::kPluginFailed, "no")
           );
         }},
        {"cancel",
         [](Rows& rows, SubtaskId id) {
           return rows.table().updateSubtaskStateAndError({}, kNode, id, SubtaskState::kCanceled, {});
         }},
        {"give back", [](Rows& rows, SubtaskId id) { return rows.table().giveBackSubtask({}, kNode, id); }},
        {"retry",
         [](Rows& rows, SubtaskId id) {
           std::int32_t retries = 0;
           return rows.table().retrySubtaskLater(
               {}, kNode, id, Error(ErrorCode::kPluginFailed, "no"), std::chrono::seconds(9), retries
           );
         }},
        {"hand back",
         [](Rows& rows, SubtaskId id) {
           return rows.table().handBackSubtask({}, kNode, id, Error(ErrorCode::kPluginFailed, "no"));
         }},
    };
    Rows rows;
    std::int32_t ordinal = 0;
    for (const auto& [name, end] : ends) {
      INFO(theft << ", then " << name);
      // Our token with our target state reads as an earlier try of ours (design rule 10).
      const std::string both = theft + ", " + name;
      if (both == "canceled, cancel" || both == "paused, pause" || both == "failed by the owner, fail") continue;
      const auto id = rows.start(++ordinal);
      steal(rows, id);
      const auto before = rows->row(id).value();
      CHECK(end(rows, id) == kLost);
      CHECK(rows->row(id)->state == before.state);
      checkSame(rows->row(id).value(), before);
      CHECK(rows->attempt(id).retries == 0);
      CHECK(rows->attempt(id).handed_back.empty());
      CHECK(rows.table().liveToken(id) == proto::RunToken{});
    }
  }
}

TEST_CASE("Summary and checkpoint of a run that lost its row are lost and change nothing") {
  for (const auto& [theft, steal] : thefts()) {
    INFO(theft);
    Rows rows;
    const auto id = rows.start(1);
    steal(rows, id);
    const auto before = rows->row(id).value();
    CHECK(rows.table().updateSubtaskSummary({}, kNode, id, R"({"row_count":1})") == kLost);
    CHECK(rows.table().updateSubtaskCheckpoint({}, kNode, id, "cp") == kLost);
    checkSame(rows->row(id).value(), before);
    CHECK(rows->checkpoint(id) != "cp");
  }
}

TEST_CASE("The end of a run whose row is gone finds it missing") {
  Rows rows;
  const auto id = rows.start(1);
  rows->remove(id);
  CHECK(rows.table().finishSubtask({}, kNode, id, "result", {}) == kMissing);
  CHECK(rows.table().liveToken(id) == proto::RunToken{});
}

TEST_CASE("Writes of a run that this process does not hold are lost") {
  Rows rows;
  const auto id = rows.start(1);
  CHECK(rows.other().finishSubtask({}, kNode, id, "result", {}) == kLost);
  CHECK(rows.other().updateSubtaskStateAndError({}, kNode, id, SubtaskState::kFailed, {}) == kLost);
  CHECK(rows.other().giveBackSubtask({}, kNode, id) == kLost);
  CHECK(rows.other().updateSubtaskSummary({}, kNode, id, "{}") == kLost);
  CHECK(rows.other().updateSubtaskCheckpoint({}, kNode, id, "cp") == kLost);
  CHECK(rows.state(id) == SubtaskState::kRunning);
  CHECK(rows.table().finishSubtask({}, kNode, id, "result", {}) == kApplied);
  CHECK(rows.table().finishSubtask({}, kNode, id, "again", {}) == kLost);
  CHECK(rows->row(id)->meta == "result");
}

TEST_CASE("A run's writes carry its own exec id") {
  Rows rows;
  const auto id = rows.start(1);
  CHECK(rows.table().finishSubtask({}, kOtherNode, id, "result", {}) == kLost);
  CHECK(rows.state(id) == SubtaskState::kRunning);
}

TEST_CASE("A summary is written while the run goes on") {
  Rows rows;
  const auto id = rows.start(1);
  CHECK(rows.table().updateSubtaskSummary({}, kNode, id, R"({"row_count":100,"bytes":7})") == kApplied);
  CHECK(proto::parseSummary(rows->row(id)->summary).row_count == 100);
  CHECK(rows.state(id) == SubtaskState::kRunning);
  CHECK(rows.table().liveToken(id) == rows.read(id).token);
}

TEST_CASE("A checkpoint is kept with the row, it is empty before the first and for a missing row") {
  Rows rows;
  const auto id = rows.start(1);
  CHECK(rows.table().getSubtaskCheckpoint({}, id).empty());
  CHECK(rows.table().getSubtaskCheckpoint({}, SubtaskId(999)).empty());
  const std::string checkpoint("{\"at\":\0\xff}", 9);
  CHECK(rows.table().updateSubtaskCheckpoint({}, kNode, id, checkpoint) == kApplied);
  CHECK(rows.table().getSubtaskCheckpoint({}, id) == checkpoint);
  CHECK(rows.table().updateSubtaskCheckpoint({}, kNode, id, "second") == kApplied);
  REQUIRE(rows.table().giveBackSubtask({}, kNode, id) == kApplied);
  CHECK(rows.table().getSubtaskCheckpoint({}, id) == "second");
  CHECK(rows.other().getSubtaskCheckpoint({}, id) == "second");
}

TEST_CASE("Lost runs are those whose row is not running here with their token") {
  Rows rows;
  const auto kept = rows.start(1);
  const auto moved = rows.start(2);
  const auto paused = rows.start(3);
  const auto other_token = rows.start(4);
  const auto gone = rows.start(5);
  const auto ended = rows.start(6);
  rows->setExecId(moved, kOtherNode);
  rows->setState(paused, SubtaskState::kPaused);
  rows->setToken(other_token, kForeignIdempotent);
  rows->remove(gone);
  REQUIRE(rows.table().finishSubtask({}, kNode, ended, "result", {}) == kApplied);
  auto lost = rows.table().findLostRuns({}, kNode, {gone, kept, moved, paused, other_token, ended});
  std::sort(lost.begin(), lost.end());
  CHECK(lost == std::vector<SubtaskId>{moved, paused, other_token, gone});
  CHECK(rows.table().findLostRuns({}, kNode, {kept}).empty());
  CHECK(rows.table().findLostRuns({}, kNode, {}).empty());
}

TEST_CASE("A start that a failover of the store lost is written again with the same token") {
  Rows rows;
  const auto id = rows.add(1);
  const auto before = rows.read(id);
  REQUIRE(rows.table().startSubtask({}, before, kNode, false) == kApplied);
  const auto token = rows.table().liveToken(id);
  rows->setState(id, SubtaskState::kPending);
  SECTION("the row is as it was before the start: kept") {
    rows->setToken(id, std::nullopt);
    CHECK(rows.table().findLostRuns({}, kNode, {id}).empty());
    CHECK(rows.state(id) == SubtaskState::kRunning);
    CHECK(rows.read(id).token == token);
    CHECK(rows.table().finishSubtask({}, kNode, id, "result", {}) == kApplied);
  }
  SECTION("the owner took it out of running: lost") {
    CHECK(rows.table().findLostRuns({}, kNode, {id}) == std::vector<SubtaskId>{id});
    CHECK(rows.state(id) == SubtaskState::kPending);
  }
  SECTION("somebody else had it meanwhile: lost") {
    rows->setToken(id, kForeignIdempotent);
    CHECK(rows.table().findLostRuns({}, kNode, {id}) == std::vector<SubtaskId>{id});
    CHECK(rows.state(id) == SubtaskState::kPending);
  }
  SECTION("the id is another ordinal's row by now: lost") {
    rows->setToken(id, std::nullopt);
    rows->setOrdinal(id, 9);
    CHECK(rows.table().findLostRuns({}, kNode, {id}) == std::vector<SubtaskId>{id});
    CHECK(rows.state(id) == SubtaskState::kPending);
  }
}
