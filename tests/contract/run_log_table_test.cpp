// The last lines that runs logged.
#include "task_table_fixture.hpp"

#include <algorithm>

using namespace disttask;        // NOLINT: a test
using namespace disttask::test;  // NOLINT: a test
using namespace std::chrono_literals;

namespace {

storage::RunLog logOf(Rows& rows, SubtaskId id, const std::string& text) {
  storage::RunLog log;
  log.subtask_id = id;
  log.token = rows->row(id).value().token;
  log.num_earlier = 3;
  log.lines = {{1500ms, "info", text}, {20ms, "warn", "\xE2\x9C\x93 \"quoted\"\nand more"}};
  return log;
}

std::string firstText(const std::optional<storage::RunLog>& log) {
  return log && !log->lines.empty() ? log->lines.front().text : "";
}

}  // namespace

TEST_CASE("The last lines of a run are kept with their node and times, and found again") {
  Rows rows;
  const auto id = rows.start(1);
  CHECK_FALSE(rows->runLogs().findLog({}, id));
  const auto log = logOf(rows, id, "began");
  rows->runLogs().writeLogs({}, kNode, {log});
  const auto found = rows->runLogs().findLog({}, id).value();
  CHECK(found.subtask_id == id);
  CHECK(found.token == log.token);
  CHECK(found.exec_id == kNode);
  CHECK(found.num_earlier == 3);
  CHECK(found.written_ms / 1000 >= rows->row(id).value().start_time);
  REQUIRE(found.lines.size() == 2);
  CHECK(found.lines[0].age == 1500ms);
  CHECK(found.lines[0].level == "info");
  CHECK(found.lines[0].text == "began");
  CHECK(found.lines[1].text == log.lines[1].text);
}

TEST_CASE("Lines of many runs go together, each to its own subtask, and take the place of older ones") {
  Rows rows;
  std::vector<storage::RunLog> logs;
  for (std::int32_t i = 1; i <= 11; ++i) logs.push_back(logOf(rows, rows.start(i), "line " + std::to_string(i)));
  rows->runLogs().writeLogs({}, kNode, logs);
  for (std::size_t i = 0; i < logs.size(); ++i)
    CHECK(firstText(rows->runLogs().findLog({}, logs[i].subtask_id)) == "line " + std::to_string(i + 1));

  logs.resize(3);
  for (auto& log : logs) log.lines.front().text += " anew";
  rows->runLogs().writeLogs({}, kNode, logs);
  CHECK(firstText(rows->runLogs().findLog({}, logs[2].subtask_id)) == "line 3 anew");
  CHECK_NOTHROW(rows->runLogs().writeLogs({}, kNode, {}));
}

TEST_CASE("Lines of a run are kept after its end, and those of a run whose row was taken are passed over") {
  Rows rows;
  const auto id = rows.start(1);
  const auto log = logOf(rows, id, "mine");
  SECTION("it has failed") {
    REQUIRE(
        rows.table().updateSubtaskStateAndError(
            {}, kNode, id, SubtaskState::kFailed, Error(ErrorCode::kInternal, "x")
        ) == TransitionOutcome::kApplied
    );
    rows->runLogs().writeLogs({}, kNode, {log});
    CHECK(firstText(rows->runLogs().findLog({}, id)) == "mine");
  }
  SECTION("it was given back") {
    REQUIRE(rows.table().giveBackSubtask({}, kNode, id) == TransitionOutcome::kApplied);
    rows->runLogs().writeLogs({}, kNode, {log});
    CHECK(firstText(rows->runLogs().findLog({}, id)) == "mine");
  }
  SECTION("it runs elsewhere") {
    REQUIRE(rows.table().giveBackSubtask({}, kNode, id) == TransitionOutcome::kApplied);
    rows->setExecId(id, kOtherNode);
    REQUIRE(rows.other().startSubtask({}, rows.read(id), kOtherNode, true) == TransitionOutcome::kApplied);
    rows->runLogs().writeLogs({}, kOtherNode, {logOf(rows, id, "theirs")});
    const auto next = rows.start(2);
    rows->runLogs().writeLogs({}, kNode, {log, logOf(rows, next, "of another")});
    CHECK(firstText(rows->runLogs().findLog({}, id)) == "theirs");
    CHECK(rows->runLogs().findLog({}, id)->exec_id == kOtherNode);
    CHECK(firstText(rows->runLogs().findLog({}, next)) == "of another");
  }
  SECTION("it is gone") {
    rows->remove(id);
    rows->runLogs().writeLogs({}, kNode, {log});
    CHECK_FALSE(rows->runLogs().findLog({}, id));
  }
}

TEST_CASE("Lines that were written long ago are forgotten, the oldest first") {
  Rows rows;
  std::vector<storage::RunLog> logs;
  for (std::int32_t i = 1; i <= 4; ++i) logs.push_back(logOf(rows, rows.start(i), "line " + std::to_string(i)));
  rows->runLogs().writeLogs({}, kNode, logs);
  rows->ageRunLog(logs[0].subtask_id, 2h);
  rows->ageRunLog(logs[1].subtask_id, 4h);
  rows->ageRunLog(logs[2].subtask_id, 3h);
  auto& table = rows->runLogs();
  CHECK(table.forgetLogs({}, std::nullopt, 5h, 10) == 0);
  CHECK(table.forgetLogs({}, std::nullopt, 1h, 1) == 1);
  CHECK_FALSE(table.findLog({}, logs[1].subtask_id));
  CHECK(table.findLog({}, logs[2].subtask_id));
  CHECK(table.forgetLogs({}, std::nullopt, 1h, 10) == 2);
  CHECK(table.findLog({}, logs[3].subtask_id));
}
