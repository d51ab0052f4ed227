// Daemons of ours on the tables of a live TiDB: its scheduler plans and balances, we run, and the rows end as those
// that TiDB's own executor leaves.
#include "tidb_live.hpp"

#include <catch2/catch.hpp>

#include <csignal>

using namespace disttask;
using namespace std::chrono_literals;
using test::eventually;
using test::LiveTiDb;

#define SKIP_WITHOUT_LIVE_TIDB()                                              \
  if (!LiveTiDb::isThere()) {                                                 \
    WARN("skipped: no live TiDB here, tests/run.sh --store tidb starts one"); \
    return;                                                                   \
  }

TEST_CASE("Tasks of a live TiDB end with the rows that its own executor leaves", "[system][tidb]") {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  const auto node = tidb.startNode(1);
  const auto compare = [&](const std::string& name, const std::string& meta, const std::string& end) {
    INFO(name);
    const auto ours = tidb.submit(name + "-ours", meta);
    const auto theirs = tidb.submit(name + "-theirs", meta, false);
    tidb.awaitState(ours, end);
    tidb.awaitState(theirs, end);
    CHECK(tidb.rowsOf(ours) == tidb.rowsOf(theirs));
    CHECK(
        tidb.scalar(
            "select count(*) from mysql.tidb_background_subtask where ddl_physical_tid<>0 and task_key='" + theirs + "'"
        ) == "0"
    );
  };
  compare("succeed", R"({"n":5})", "succeed");
  CHECK(node.stop() == 0);
}

TEST_CASE("TiDB pauses, resumes and cancels what a daemon of ours runs", "[system][tidb]") {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  const auto node = tidb.startNode(1);
  const std::string meta = R"({"n":12,"sleep_ms":400})";
  const auto task = tidb.submit("pause", meta);
  REQUIRE(eventually(30s, [&] { return tidb.count(task, "succeed") != "0"; }));
  tidb.ask("pause", "pause");
  tidb.awaitState(task, "paused");
  CHECK(tidb.count(task, "running") == "0");
  CHECK(tidb.count(task, "pending") == "0");
  CHECK(tidb.count(task, "paused") != "0");
  tidb.ask("resume", "pause");
  tidb.awaitState(task, "succeed");
  CHECK(tidb.count(task, "succeed") == "13");

  const auto cancelled = tidb.submit("cancel", R"({"n":12,"sleep_ms":20000})");
  REQUIRE(eventually(30s, [&] { return tidb.count(cancelled, "running") != "0"; }));
  tidb.ask("cancel", "cancel");
  tidb.awaitState(cancelled, "reverted");
  CHECK(tidb.count(cancelled, "canceled") == "12");
}

TEST_CASE("A daemon beside a live TiDB that is killed goes on after its restart", "[system][tidb]") {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  auto node = tidb.startNode(1);
  const auto task = tidb.submit("killed", R"({"n":8,"sleep_ms":700})");
  REQUIRE(eventually(30s, [&] { return tidb.count(task, "running") != "0"; }));
  node.process->kill(SIGKILL);
  REQUIRE(node.process->wait(10s));
  node = tidb.startNode(1);
  tidb.awaitState(task, "succeed");
  CHECK(tidb.count(task, "succeed") == "9");
}

TEST_CASE("Two daemons beside a live TiDB share a task, and rows of one that is gone for good move", "[system][tidb]") {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  auto first = tidb.startNode(1);
  const auto second = tidb.startNode(2);
  const auto task = tidb.submit("two", R"({"n":16,"sleep_ms":1500})");
  const auto nodes = [&](const std::string& state) {
    return tidb.scalar(
        "select count(distinct exec_id) from mysql.tidb_background_subtask where task_key='" + task + "' and state='" +
        state + "'"
    );
  };
  REQUIRE(eventually(30s, [&] { return nodes("running") == "2"; }));
  first.process->kill(SIGKILL);
  REQUIRE(first.process->wait(10s));
  // TiDB does not see that; its register is what it goes by.
  tidb.cluster().execute("delete from mysql.dist_framework_meta where host='" + tidb.idOf(1) + "'");
  tidb.awaitState(task, "succeed");
  CHECK(tidb.count(task, "succeed") == "17");
}

TEST_CASE("A register row that TiDB deletes is back within a poll", "[system][tidb]") {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  const auto node = tidb.startNode(1);
  const auto sql = "mysql.dist_framework_meta where host='" + tidb.idOf(1) + "'";
  REQUIRE(tidb.scalar("select count(*) from " + sql) == "1");
  tidb.cluster().execute("delete from " + sql);
  CHECK(eventually(4s, [&] { return tidb.scalar("select count(*) from " + sql) == "1"; }));
}
