// Results above the packet size of a server: on one of its own, whose packets are small.
#include "disttask/storage/mysql/store.hpp"

#include "support/child_process.hpp"
#include "support/temp_dir.hpp"
#include <catch2/catch.hpp>

#include <cstdlib>
#include <memory>
#include <optional>

using namespace disttask;           // NOLINT: a test
using namespace disttask::storage;  // NOLINT: a test

namespace {

const std::string kNode = "node-a:4000";
constexpr auto kApplied = TransitionOutcome::kApplied;
constexpr std::size_t kPacket = 64 << 10;

/// A MariaDB that takes packets of 64 KiB, with our schema and three pending subtasks.
class SmallServer {
 public:
  SmallServer() : folder_(dir_.path() / "server") {
    run({"start", folder_.string(), "--max-allowed-packet=" + std::to_string(kPacket)});
    mysql::StoreSettings settings;
    settings.connect.endpoints = {{"", 0, (folder_ / "s.sock").string()}};
    settings.connect.user = "root";
    settings.schema = "small_packet";
    store_ = std::make_unique<mysql::Store>(settings, runtime::systemClock());
    store_->schema().install({});
    settings.connect.schema = settings.schema;
    connection_ = sqlclient::Connection::open(settings.connect);
    connection_->execute(
        "insert into tidb_global_task (id, task_key, type, state, step, concurrency, meta, extra_params)"
        " values (1,'key','example','running',1,1,'{}','{}')"
    );
    for (const auto* const id : {"1", "2", "3"}) {
      connection_->execute(
          std::string("insert into tidb_background_subtask (id, step, task_key, type, exec_id, state, checkpoint, "
                      "concurrency, create_time, meta, ordinal, summary) values (") +
          id + ",1,'1',0,'" + kNode + "','pending','{}',1,now(),'meta'," + id + ",'{}')"
      );
    }
  }
  SmallServer(const SmallServer&) = delete;
  SmallServer& operator=(const SmallServer&) = delete;
  ~SmallServer() {
    connection_.reset();
    store_.reset();
    test::ChildProcess removal({std::getenv("DISTTASK_PRIVATE_MARIADB"), "remove", folder_.string()});
    static_cast<void>(removal.wait(std::chrono::seconds(60)));
  }

  TaskTable& table() { return store_->taskTable(); }
  static RunWrite startOf(int id) { return RunStart{SubtaskId(id), {TaskId(1), Step(1), id, proto::RunToken{}}, true}; }
  std::string column(const std::string& name, int id) {
    auto rows = connection_->queryDynamic(
        "column", "select " + name + " from tidb_background_subtask where id=?", {std::int64_t{id}}
    );
    return rows.next() ? rows.getString(1) : "";
  }

 private:
  static void run(std::vector<std::string> arguments) {
    const char* const script = std::getenv("DISTTASK_PRIVATE_MARIADB");
    REQUIRE(script != nullptr);
    arguments.insert(arguments.begin(), script);
    test::ChildProcess process(arguments);
    const auto end = process.wait(std::chrono::seconds(60));
    REQUIRE(end);
    REQUIRE(end->exit_code == 0);
  }

  test::TempDir dir_;
  std::filesystem::path folder_;
  std::unique_ptr<mysql::Store> store_;
  std::unique_ptr<sqlclient::Connection> connection_;
};

/// Far less than a retry until the default deadline would take.
Call soon() {
  Call call;
  call.deadline = runtime::Deadline(runtime::systemClock(), std::chrono::seconds(10));
  return call;
}

}  // namespace

TEST_CASE("A result above a small packet size of the server is refused at once, and no other of the batch") {
  SmallServer server;
  auto& table = server.table();
  for (const auto& result :
       table.writeRuns(soon(), kNode, {SmallServer::startOf(1), SmallServer::startOf(2), SmallServer::startOf(3)})) {
    REQUIRE(result.outcome == kApplied);
  }
  // The connector sends this length in pieces, each of which is above the limit.
  const std::string large(600 << 10, 'x');
  const auto results = table.writeRuns(
      soon(),
      kNode,
      {RunFinish{SubtaskId(1), "result", {}}, RunFinish{SubtaskId(2), large, {}}, RunFinish{SubtaskId(3), "result", {}}}
  );
  for (const auto i : {0U, 2U}) {
    CHECK_FALSE(results[i].error);
    CHECK(results[i].outcome == kApplied);
  }
  REQUIRE(results[1].error);
  CHECK(results[1].error->code() == ErrorCode::kStoreContent);
  CHECK_THAT(results[1].error->message(), Catch::Contains("max_allowed_packet of the server is 65536"));
  CHECK(server.column("state", 1) == "succeed");
  CHECK(server.column("state", 2) == "running");
  CHECK(server.column("meta", 2) == "meta");
  CHECK(server.column("state", 3) == "succeed");
}

TEST_CASE("A result and a checkpoint above a small packet size are refused without a broken session") {
  SmallServer server;
  auto& table = server.table();
  for (const auto& result : table.writeRuns(soon(), kNode, {SmallServer::startOf(1)})) REQUIRE(!result.error);
  // Just below the limit by itself, above it with the rest of its packet.
  const std::string large(kPacket - 8, 'x');
  const auto checkRefused = [](const auto& write) {
    try {
      static_cast<void>(write());
      FAIL("nothing was thrown");
    } catch (const Exception& e) {
      CHECK(e.error().code() == ErrorCode::kStoreContent);
      CHECK(e.error().reaction() == Reaction::kGiveUp);
    }
  };
  checkRefused([&] { return table.updateSubtaskCheckpoint(soon(), kNode, SubtaskId(1), large); });
  checkRefused([&] { return table.finishSubtask(soon(), kNode, SubtaskId(1), large, {}); });
  CHECK(table.finishSubtask(soon(), kNode, SubtaskId(1), "result", {}) == kApplied);
}
