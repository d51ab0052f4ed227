#include "disttask/storage/mysql/schema.hpp"

#include "disttask/runtime/thread_group.hpp"

#include "support/child_process.hpp"
#include "support/fake_clock.hpp"
#include "support/temp_dir.hpp"
#include "support/test_store.hpp"
#include <catch2/catch.hpp>

#include <atomic>
#include <functional>

using namespace disttask;
using storage::mysql::Schema;
using test::TestStore;

namespace {

/// Returns "name type null default" of each column in order, for people and for comparison with the contract.
std::vector<std::string> columnsOf(TestStore& store, const std::string& table) {
  std::vector<std::string> columns;
  auto connection = store.connect();
  auto rows = connection->queryDynamic(
      "test.columns",
      "select column_name, data_type, ifnull(character_maximum_length, ''), is_nullable from "
      "information_schema.columns where table_schema = "
      "database() and table_name = ? order by ordinal_position",
      {table}
  );
  while (rows.next()) {
    auto text = rows.getString(1) + " " + rows.getString(2);
    if (rows.getString(2) == "varchar") text += "(" + rows.getString(3) + ")";
    if (rows.getString(4) == "NO") text += " not null";
    columns.push_back(text);
  }
  return columns;
}

void replaceJson(std::vector<std::string>& columns) {
  for (auto& column : columns) {  // MariaDB's json is a longtext with a check
    const auto at = column.find(" longtext");
    if (at != std::string::npos) column.replace(at, 9, " json");
  }
}

const std::vector<std::string> kTaskColumns{
    "id bigint not null",
    "task_key varchar(256) not null",
    "type varchar(256) not null",
    "dispatcher_id varchar(261)",
    "state varchar(64) not null",
    "priority int",
    "create_time timestamp",
    "start_time timestamp",
    "state_update_time timestamp",
    "end_time timestamp",
    "meta longblob",
    "concurrency int",
    "step int",
    "target_scope varchar(256)",
    "error blob",
    "modify_params json",
    "max_node_count int",
    "extra_params json",
    "keyspace varchar(64)",
};
const std::vector<std::string> kSubtaskColumns{
    "id bigint not null",
    "step int",
    "namespace varchar(256)",
    "task_key varchar(256)",
    "ddl_physical_tid bigint",
    "type int",
    "exec_id varchar(261)",
    "exec_expired timestamp",
    "state varchar(64) not null",
    "checkpoint longblob not null",
    "concurrency int",
    "create_time timestamp",
    "start_time bigint",
    "state_update_time bigint",
    "end_time timestamp",
    "meta longblob",
    "ordinal int",
    "error blob",
    "summary json",
};

std::string indexesOf(TestStore& store, const std::string& table) {
  return store.scalar(
      "select group_concat(concat(index_name, if(non_unique, '', '!'), '(', cols, ')') order by lower(index_name) "
      "separator ' "
      "') from (select "
      "index_name, non_unique, group_concat(column_name order by seq_in_index) cols from information_schema.statistics "
      "where table_schema = "
      "database() and table_name = '" +
      table + "' group by index_name, non_unique) i"
  );
}

/// A clock that the test advances, and that counts the waits: after each the installation has looked at the store
/// again.
class CountingClock final : public runtime::Clock {
 public:
  [[nodiscard]] runtime::TimePoint now() const noexcept override { return clock_.now(); }
  bool waitUntil(
      std::unique_lock<std::mutex>& lock,
      std::condition_variable_any& cv,
      const runtime::CancelToken& token,
      runtime::TimePoint until,
      const std::function<bool()>& ready
  ) override {
    ++num_waits_;
    return clock_.waitUntil(lock, cv, token, until, ready);
  }
  void advance(runtime::Duration by) { clock_.advance(by); }
  [[nodiscard]] int numWaits() const { return num_waits_; }

 private:
  test::FakeClock clock_;
  std::atomic<int> num_waits_ = 0;
};

ErrorCode codeOf(const std::function<void()>& body, std::string* message = nullptr) {
  try {
    body();
  } catch (const Exception& e) {
    if (message != nullptr) *message = e.error().message();
    return e.error().code();
  }
  FAIL("nothing was thrown");
  return ErrorCode::kInternal;
}

}  // namespace

TEST_CASE("Schema makes the database and all tables, and doing it again changes nothing") {
  TestStore store(TestStore::Schema::kMissing);
  CHECK(store->schema().status({}).problems == std::vector<std::string>{"database " + store.schema() + " is missing"});

  const auto done = store->schema().install({});
  CHECK(done.front() == "made database " + store.schema());
  CHECK(done.back() == "wrote version 2");
  const auto status = store->schema().status({});
  CHECK(status.problems.empty());
  CHECK(status.isComplete());

  const auto id = store->storeId({});
  CHECK(id.size() == 36);
  CHECK(store->schema().install({}).empty());
  CHECK(store.makeStore()->storeId({}) == id);
  CHECK_NOTHROW(store->schema().check({}));
  CHECK(store.scalar("select changer from disttask_schema") == "0");
}

TEST_CASE("Schema has the columns of the contract, in its order") {
  TestStore store;
  for (const auto* table : {"tidb_global_task", "tidb_global_task_history"}) {
    auto columns = columnsOf(store, table);
    replaceJson(columns);
    CHECK(columns == kTaskColumns);
  }
  for (const auto* table : {"tidb_background_subtask", "tidb_background_subtask_history"}) {
    auto columns = columnsOf(store, table);
    replaceJson(columns);
    CHECK(columns == kSubtaskColumns);
  }
  CHECK(
      columnsOf(store, "dist_framework_meta") ==
      std::vector<std::string>{
          "host varchar(261) not null", "role varchar(64)", "cpu_count int", "keyspace_id bigint not null"}
  );
  // Positional copies to history are part of the contract.
  store.execute("insert into tidb_global_task (task_key, type, state) values ('k', 't', 'succeed')");
  CHECK(store.execute("insert into tidb_global_task_history select * from tidb_global_task") == 1);
  CHECK(
      store.scalar(
          "select concat_ws(',', priority, target_scope, max_node_count, keyspace) from tidb_global_task_history"
      ) == "1,,0,"
  );
}

TEST_CASE("Schema has the indexes that hot statements need") {
  TestStore store;
  CHECK(
      indexesOf(store, "tidb_background_subtask") ==
      "ix_exec(exec_id,state,task_key,step,ordinal) ix_task(task_key,step,state) PRIMARY!(id) "
      "uk_task_key_step_ordinal!(task_key,step,ordinal)"
  );
  CHECK(indexesOf(store, "tidb_global_task") == "idx_keyspace(keyspace) PRIMARY!(id) state(state) task_key!(task_key)");
  CHECK(
      indexesOf(store, "tidb_background_subtask_history") ==
      "idx_state_update_time(state_update_time) idx_task_key(task_key) PRIMARY!(id)"
  );
  CHECK(
      indexesOf(store, "disttask_plan") ==
      "ix_kind(kind,complete,failed) ix_planner(planner,complete,failed) PRIMARY!(task_id,kind,after_step) "
      "uk_task_step!(task_id,step)"
  );
}

TEST_CASE("Schema compares identities byte by byte") {
  TestStore store;
  store.execute("insert into dist_framework_meta (host) values ('node'), ('Node'), ('nöde'), ('noede')");
  CHECK(store.scalar("select count(*) from dist_framework_meta where host = 'Node'") == "1");
  CHECK(store.scalar("select count(*) from dist_framework_meta where host = 'NODE'") == "0");
}

TEST_CASE("Schema is made once when several install it at the same moment") {
  TestStore store(TestStore::Schema::kMissing);
  constexpr int kInstallers = 4;
  test::TestSignal<std::string> ended;
  std::vector<std::unique_ptr<storage::mysql::Store>> others;
  for (int i = 0; i < kInstallers; ++i) others.push_back(store.makeStore());
  runtime::ThreadGroup threads;
  for (auto& other : others) {
    threads.spawn("installer", [&ended, store = other.get()] {
      try {
        const auto done = store->schema().install({});
        ended.send(std::to_string(store->schema().status({}).isComplete() ? done.size() : 999));
      } catch (const std::exception& e) {
        ended.send(e.what());
      }
    });
  }
  std::size_t num_done = 0;
  for (int i = 0; i < kInstallers; ++i) {
    const auto text = ended.wait(std::chrono::seconds(50));
    REQUIRE(text);
    INFO(*text);
    REQUIRE(text->find_first_not_of("0123456789") == std::string::npos);
    num_done += std::stoul(*text);
  }
  threads.join();
  // Twelve tables and one version, each once, and the database, which several may find missing at the same moment.
  CHECK(num_done > 13);
  CHECK(num_done <= 13 + kInstallers);
  CHECK(store->schema().status({}).isComplete());
}

TEST_CASE("Schema change waits for another that moves, and takes over one that stands still") {
  CountingClock clock;
  TestStore store(TestStore::Schema::kInstalled, {}, clock);
  store.execute("update disttask_schema set version = 0, changer = 42");
  test::TestSignal<std::string> ended;
  runtime::CancelSource cancel;
  runtime::ThreadGroup threads;
  threads.spawn("installer", [&] {
    try {
      ended.send(store->schema().install({cancel.token(), {}}).at(0));
    } catch (const std::exception& e) {
      ended.send(e.what());
    }
  });
  CHECK(test::eventually([&] { return clock.numWaits() > 0; }));
  // Lets the time pass in the installation's own steps; true while it waits.
  const auto still_waits_for = [&](std::chrono::seconds time) {
    for (std::chrono::milliseconds passed{0}; passed < time; passed += std::chrono::milliseconds(200)) {
      const auto before = clock.numWaits();
      clock.advance(std::chrono::milliseconds(200));
      if (!test::eventually([&] { return clock.numWaits() > before || ended.size() > 0; })) return false;
      if (ended.size() > 0 || store.scalar("select changer from disttask_schema") != "42") return false;
    }
    return true;
  };
  for (int renewal = 0; renewal < 3; ++renewal) {
    CHECK(still_waits_for(std::chrono::seconds(14)));
    store.execute("update disttask_schema set renewals = renewals + 1");
  }
  CHECK(still_waits_for(std::chrono::seconds(15)));
  CHECK_FALSE(still_waits_for(std::chrono::seconds(3)));
  CHECK(ended.wait().value_or("") == "wrote version 2");
  cancel.cancel(runtime::CancelCause::kShutdown);  // should it still wait, the test ends all the same
  threads.join();
  CHECK(store.scalar("select concat(version, ' ', changer) from disttask_schema") == "2 0");
}

TEST_CASE("Schema change that waits for another is cancelled at once") {
  TestStore store;
  store.execute("update disttask_schema set version = 0, changer = 42");
  test::TestSignal<ErrorCode> ended;
  runtime::CancelSource cancel;
  runtime::ThreadGroup threads;
  threads.spawn("installer", [&] {
    try {
      store->schema().install({cancel.token(), {}});
    } catch (const Exception& e) {
      ended.send(e.error().code());
    }
  });
  CHECK_FALSE(ended.wait(std::chrono::milliseconds(100)));
  cancel.cancel(runtime::CancelCause::kShutdown);
  CHECK(ended.wait().value_or(ErrorCode::kInternal) == ErrorCode::kCancelled);
  threads.join();
  CHECK(store.scalar("select version from disttask_schema") == "0");
}

TEST_CASE("Schema mends a missing index and table, and names what it does not mend") {
  TestStore store;
  store.execute("alter table tidb_background_subtask drop index ix_exec");
  store.execute("drop table disttask_attempt");
  CHECK(
      store->schema().status({}).problems ==
      std::vector<std::string>{
          "table tidb_background_subtask, index ix_exec is missing", "table disttask_attempt is missing"}
  );
  CHECK(
      store->schema().install({}) ==
      std::vector<std::string>{"made index ix_exec of table tidb_background_subtask", "made table disttask_attempt"}
  );
  CHECK(store->schema().status({}).isComplete());

  store.execute("alter table tidb_global_task add column note int null");
  store.execute("alter table disttask_node modify column life int not null");
  const std::vector<std::string> problems{
      "table tidb_global_task, column note does not belong there",
      "table disttask_node, column life is int, not bigint"};
  CHECK(store->schema().status({}).problems == problems);
  std::string message;
  CHECK(codeOf([&] { store->schema().install({}); }, &message) == ErrorCode::kStoreSchema);
  CHECK(message.find("column note does not belong there") != std::string::npos);
}

TEST_CASE("Schema of the version before serves without what came later, and is brought up to date") {
  TestStore store;
  store.execute("drop table disttask_run_log");
  store.execute("update disttask_schema set version = 1");
  CHECK_NOTHROW(store->schema().check({}));
  const auto before = store->schema().status({});
  CHECK(before.problems.empty());
  CHECK_FALSE(before.isComplete());

  storage::RunLog log;
  log.subtask_id = proto::SubtaskId(7);
  std::string message;
  const auto write = [&] { store->runLogTable().writeLogs({}, "a", {log}); };
  CHECK(codeOf(write, &message) == ErrorCode::kStoreSchema);
  CHECK(message.find("run `disttaskctl schema install`") != std::string::npos);
  CHECK_FALSE(store->runLogTable().findLog({}, log.subtask_id));
  CHECK(store->runLogTable().forgetLogs({}, std::nullopt, std::chrono::hours(1), 100) == 0);

  CHECK(store->schema().install({}) == std::vector<std::string>{"made table disttask_run_log", "wrote version 2"});
  CHECK(store->schema().status({}).isComplete());
  const auto fresh = store.makeStore();
  CHECK_NOTHROW(fresh->runLogTable().writeLogs({}, "a", {log}));
}

TEST_CASE("Schema refuses what it does not speak and says what to run") {
  std::string message;
  SECTION("a newer version") {
    TestStore store;
    store.execute("update disttask_schema set version = 3");
    CHECK(codeOf([&] { store->schema().check({}); }, &message) == ErrorCode::kStoreSchema);
    CHECK(message.find("has version 3, newer than this program's version 2") != std::string::npos);
    CHECK(codeOf([&] { store->schema().install({}); }) == ErrorCode::kStoreSchema);
    CHECK(store.scalar("select concat(version, ' ', changer) from disttask_schema") == "3 0");
  }
  SECTION("no database") {
    TestStore store(TestStore::Schema::kMissing);
    CHECK(codeOf([&] { store->schema().check({}); }, &message) == ErrorCode::kStoreSchema);
    CHECK(message.find("run `disttaskctl schema install`") != std::string::npos);
  }
  SECTION("no tables") {
    TestStore store(TestStore::Schema::kEmpty);
    CHECK(codeOf([&] { store->schema().check({}); }, &message) == ErrorCode::kStoreSchema);
    CHECK(message.find("run `disttaskctl schema install`") != std::string::npos);
    CHECK(codeOf([&] { static_cast<void>(store->storeId({})); }) == ErrorCode::kStoreSchema);
  }
  SECTION("an installation that did not end") {
    TestStore store;
    store.execute("update disttask_schema set version = 0");
    CHECK(codeOf([&] { store->schema().check({}); }, &message) == ErrorCode::kStoreSchema);
    CHECK(message.find("was not installed to the end") != std::string::npos);
  }
  SECTION("the server's own schema") {
    storage::mysql::StoreSettings settings;
    settings.connect = test::testConnectSettings();
    settings.schema = GENERATE("mysql", "MySQL");
    storage::mysql::Store store(settings, runtime::systemClock());
    CHECK(store.settings().schema == "mysql");
    CHECK(store.settings().shared_with_dxf);
    CHECK(store.settings().side_schema == "disttask");
  }
}

TEST_CASE("Schema waits behind an open transaction without holding up others for long") {
  TestStore store;
  store.execute("alter table tidb_background_subtask drop index ix_task");
  auto idle = store.connect();
  idle->begin();
  idle->queryDynamic("test.hold", "select count(*) from tidb_background_subtask", {});
  test::TestSignal<std::string> ended;
  runtime::ThreadGroup threads;
  threads.spawn("installer", [&] {
    try {
      ended.send(store->schema().install({}).at(0));
    } catch (const std::exception& e) {
      ended.send(e.what());
    }
  });
  // Longer than lock_wait_timeout: at least one ALTER has given up and let the others through.
  CHECK_FALSE(ended.wait(std::chrono::milliseconds(3500)));
  idle->rollback();
  CHECK(ended.wait().value_or("") == "made index ix_task of table tidb_background_subtask");
  threads.join();
}

TEST_CASE("Schema dump is run by hand through the server's own client and gives a complete schema") {
  TestStore store(TestStore::Schema::kMissing);
  const auto& endpoint = store.settings().connect.endpoints.front();
  const test::TempDir folder;
  const auto script = folder.write("dump.sql", store->schema().dump());
  std::vector<std::string> command{"mariadb", "--no-defaults", "--user=" + store.settings().connect.user, "--batch"};
  if (endpoint.socket.empty()) {
    command.insert(
        command.end(), {"--protocol=tcp", "--host=" + endpoint.host, "--port=" + std::to_string(endpoint.port)}
    );
  } else {
    command.push_back("--socket=" + endpoint.socket);
  }
  command.push_back("--execute=source " + script.string());
  std::map<std::string, std::string> environment;
  if (store.settings().connect.password) environment["MYSQL_PWD"] = store.settings().connect.password();
  for (int round = 0; round < 2; ++round) {  // the second changes nothing
    test::ChildProcess client(command, environment);
    const auto end = client.wait();
    INFO(client.errors());
    REQUIRE(end);
    REQUIRE(end->exit_code == 0);
    const auto status = store->schema().status({});
    CHECK(status.problems.empty());
    CHECK(status.isComplete());
    CHECK_NOTHROW(store->schema().check({}));
    CHECK(store->storeId({}).size() == 36);
    CHECK(store->schema().install({}).empty());
  }
}

TEST_CASE("Schema installs the ledger of bulk imports once, under a plain or a qualified name") {
  TestStore store(TestStore::Schema::kEmpty);
  auto connect = test::testConnectSettings();
  const auto qualified = store.schema() + ".disttask_csv_ledger";
  CHECK(storage::mysql::installLedger({}, connect, qualified));
  CHECK_FALSE(storage::mysql::installLedger({}, connect, qualified));
  connect.schema = store.schema();
  CHECK_FALSE(storage::mysql::installLedger({}, connect, "disttask_csv_ledger"));
  CHECK(indexesOf(store, "disttask_csv_ledger") == "PRIMARY!(store_id,task_id,step,ordinal)");
  connect.schema.clear();
  CHECK(codeOf([&] {
          storage::mysql::installLedger({}, connect, "disttask_csv_ledger");
        }) == ErrorCode::kInvalidArgument);

  if (store.isTiDb()) return;  // a clustered primary key cannot be dropped there
  store.execute("alter table disttask_csv_ledger drop primary key");
  CHECK(codeOf([&] { storage::mysql::installLedger({}, connect, qualified); }) == ErrorCode::kStoreSchema);
}
