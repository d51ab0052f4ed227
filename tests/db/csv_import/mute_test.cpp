// A target that goes mute: what runs on it obeys its cancel all the same.
#include "disttask/base/failpoint.hpp"
#include "disttask/runtime/thread_group.hpp"
#include "import_fixture.hpp"

#include "support/tcp_gate.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

using namespace disttask;
using namespace std::chrono_literals;
using test::FakeRun;
using test::ImportFixture;

namespace {

/// An import whose connection leads through a gate.
struct GatedImport : ImportFixture {
  GatedImport() {
    Json json = Json::parse(connectionJson());
    Json::Object through = json.asObject();
    through.erase("socket");
    through["host"] = "127.0.0.1";
    through["port"] = std::int64_t{gate.port()};
    host = std::make_unique<test::FakeHost>(std::map<std::string, std::string>{{"main", Json(through).dump()}});
    execute("create table t (id int primary key, name varchar(50))");
    std::string text = "id,name\n";
    for (int i = 1; i <= 200; ++i) text += std::to_string(i) + ",name " + std::to_string(i) + "\n";
    task_meta = meta(file("f.csv", text), "t");
  }
  ~GatedImport() { Failpoints::disarmAll(); }

  /// Runs a subtask on a thread of its own; `ended` tells "done", "cancelled", or the error.
  void start(sdk::Step& importer, std::int32_t step_number, const std::string& subtask_meta) {
    threads.spawn("run", [this, &importer, step_number, subtask_meta] {
      try {
        run(importer, step_number, 1, subtask_meta);
        ended.send("done");
      } catch (const sdk::Cancelled&) {
        ended.send("cancelled");
      } catch (const std::exception& exception) {
        ended.send(exception.what());
      }
    });
  }

  sqlclient::Endpoint target = store.settings().connect.endpoints.front();
  test::TcpGate gate{target.socket, target.host, target.port};
  std::string task_meta;
  test::TestSignal<std::string> ended;
  runtime::ThreadGroup threads;
};

}  // namespace

TEST_CASE(
    "A chunk whose target went mute, one way or the other, is left when its run is cancelled, and runs again whole"
) {
  GatedImport f;
  const auto metas = f.plan(1, f.task_meta, 1);
  REQUIRE(metas.size() == 1);
  const auto importer = f.step(1, f.task_meta, 1);
  const std::string where = GENERATE("csv_import.chunk_taken", "csv_import.before_commit");
  const bool to_server = GENERATE(true, false);
  test::TestSignal<bool> mute;
  Failpoints::arm(where, [&] {
    f.gate.mute(to_server, !to_server);
    mute.send(true);
  });
  f.start(*importer, 1, metas[0]);
  REQUIRE(mute.wait());
  CHECK_FALSE(f.ended.wait(100ms));
  f.host->cancel();
  CHECK(f.ended.wait(5s) == "cancelled");

  Failpoints::disarmAll();
  f.gate.unmute();
  f.host->uncancel();
  f.run(*importer, 1, 1, metas[0]);
  CHECK(f.scalar("select concat(count(*), ' ', sum(id)) from t") == "200 20100");
}

TEST_CASE("A verification whose target went mute is left when its run is cancelled, connecting included") {
  GatedImport f;
  const auto metas = f.plan(1, f.task_meta, 2, f.import(1, f.task_meta));
  REQUIRE(metas.size() == 1);
  const auto verifier = f.step(1, f.task_meta, 2);
  f.gate.mute(false, true);
  f.start(*verifier, 2, metas[0]);
  CHECK_FALSE(f.ended.wait(100ms));
  f.host->cancel();
  CHECK(f.ended.wait(5s));
  f.gate.unmute();
  f.host->uncancel();
  CHECK(*Json::parse(f.run(*verifier, 2, 1, metas[0])).find("verified_rows") == Json(200));
}

TEST_CASE("A verification that is cancelled does not go on on the server") {
  GatedImport f;
  if (f.store.isTiDb()) return;  // locks no table, and ends the statement of a client that went away
  const auto user = f.useOwnUser();
  const auto metas = f.plan(1, f.task_meta, 2, f.import(1, f.task_meta));
  const auto verifier = f.step(1, f.task_meta, 2);
  // The table's rows are locked against reading, as a stand-in for a table that takes hours to read.
  const auto blocker = f.store.connect();
  blocker->execute("lock tables t write");
  f.start(*verifier, 2, metas[0]);
  const auto reading =
      "select count(*) from information_schema.processlist where user='" + user + "' and info like '%crc32%'";
  REQUIRE(test::eventually([&] { return f.scalar(reading) == "1"; }));
  const auto num_kills = [&] {
    auto rows = blocker->queryDynamic("num_kills", "show global status like 'Com_kill'", {});
    return rows.next() ? std::stoll(rows.getString(2)) : -1;
  };
  const auto before = num_kills();
  f.host->cancel();
  CHECK(f.ended.wait(10s));
  CHECK(num_kills() > before);
  CHECK(test::eventually([&] { return f.scalar(reading) == "0"; }));
  blocker->execute("unlock tables");
}
