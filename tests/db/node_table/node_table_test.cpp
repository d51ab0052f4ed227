#include "disttask/storage/node_table.hpp"

#include "disttask/runtime/thread_group.hpp"

#include "support/test_store.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <functional>

using namespace disttask;
using proto::Life;
using proto::Node;
using test::TestStore;

namespace {

Node makeNode(const std::string& exec_id, std::int64_t life) {
  Node node;
  node.exec_id = exec_id;
  node.life = Life(life);
  node.instance_uuid = "0e4c4a0e-3a5a-4f6e-9d2e-6f1f0c0f5b11";
  node.boot_id = "boot-1";
  node.lock_file_id = "8:77";
  node.lease_ms = 30'000;
  node.host = "host-1";
  node.pid = 4711;
  node.address = "127.0.0.1:9999";
  node.nudge_token = 987654321012345;
  node.types = {{"csv_import", "0.1"}, {"example", "0.2"}};
  node.reasons = "{}";
  node.version = "0.1.0";
  node.role = "disttask";
  node.slots = 8;
  return node;
}

ErrorCode codeOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Exception& e) {
    return e.error().code();
  }
  FAIL("nothing was thrown");
  return ErrorCode::kInternal;
}

}  // namespace

TEST_CASE("NodeTable keeps all that a node says of itself") {
  TestStore store;
  auto& nodes = store->nodeTable();
  CHECK_FALSE(nodes.getNode({}, "a"));
  const auto written = makeNode("a", 11);
  REQUIRE(nodes.registerNode({}, written, std::nullopt));
  const auto read = nodes.getNode({}, "a");
  REQUIRE(read);
  CHECK(read->life == written.life);
  CHECK(read->instance_uuid == written.instance_uuid);
  CHECK(read->boot_id == written.boot_id);
  CHECK(read->lock_file_id == written.lock_file_id);
  CHECK(read->renewals == 0);
  CHECK(read->lease_ms == written.lease_ms);
  CHECK(read->host == written.host);
  CHECK(read->pid == written.pid);
  CHECK(read->address == written.address);
  CHECK(read->nudge_token == written.nudge_token);
  CHECK(read->types == written.types);
  CHECK(read->wanted == proto::WantedState::kNormal);
  CHECK(read->reasons == written.reasons);
  CHECK(read->version == written.version);
  CHECK(read->epoch == 1);
  CHECK(read->role == "disttask");
  CHECK(read->slots == 8);
  CHECK(read->has_meta_row);
  const auto now = std::stoll(store.scalar("select unix_timestamp()"));
  CHECK(read->registered_at <= now);
  CHECK(read->registered_at > now - 60);
}

TEST_CASE("NodeTable gives an id to one life at a time, by compare-and-set") {
  TestStore store;
  auto& nodes = store->nodeTable();
  REQUIRE(nodes.registerNode({}, makeNode("a", 11), std::nullopt));
  CHECK_FALSE(nodes.registerNode({}, makeNode("a", 12), std::nullopt));
  CHECK_FALSE(nodes.registerNode({}, makeNode("a", 12), Life(99)));
  CHECK_FALSE(nodes.registerNode({}, makeNode("a", 12), Life(0)));
  CHECK_FALSE(nodes.registerNode({}, makeNode("b", 12), Life(99)));  // no row to take over
  CHECK_FALSE(nodes.getNode({}, "b"));
  CHECK(nodes.getNode({}, "a")->life == Life(11));

  auto next = makeNode("a", 12);
  next.role = "other";
  next.slots = 2;
  next.types.clear();
  next.boot_id = "boot-2";
  REQUIRE(nodes.renew({}, makeNode("a", 11)));
  REQUIRE(nodes.registerNode({}, next, Life(11)));
  const auto read = nodes.getNode({}, "a");
  CHECK(read->life == Life(12));
  CHECK(read->renewals == 0);
  CHECK(read->epoch == 2);
  CHECK(read->role == "other");  // a registration overwrites the role
  CHECK(read->slots == 2);
  CHECK(read->types.empty());
  CHECK(read->boot_id == "boot-2");
  CHECK_FALSE(nodes.renew({}, makeNode("a", 11)));
}

TEST_CASE("NodeTable lets one of many win a new id") {
  TestStore store;
  constexpr int kThreads = 6;
  test::TestSignal<int> ended;
  runtime::ThreadGroup threads;
  const auto round = [&](const std::optional<Life>& expected, std::int64_t first_life) {
    for (int i = 0; i < kThreads; ++i) {
      threads.spawn("node", [&, i] {
        try {
          ended.send(store->nodeTable().registerNode({}, makeNode("a", first_life + i), expected) ? 1 : 0);
        } catch (const std::exception&) {
          ended.send(1000);
        }
      });
    }
    int num_won = 0;
    for (int i = 0; i < kThreads; ++i) num_won += ended.wait().value_or(1000);
    threads.join();
    return num_won;
  };
  CHECK(round(std::nullopt, 100) == 1);
  const auto life = store->nodeTable().getNode({}, "a")->life;
  CHECK(round(life, 200) == 1);
  CHECK(store->nodeTable().getNode({}, "a")->epoch == 2);
}

TEST_CASE("NodeTable renews the lease of a living life only") {
  TestStore store;
  auto& nodes = store->nodeTable();
  auto node = makeNode("a", 11);
  CHECK_FALSE(nodes.renew({}, node));  // no row
  REQUIRE(nodes.registerNode({}, node, std::nullopt));
  node.lease_ms = 60'000;
  node.address = "";
  node.reasons = R"({"csv_import":"no slot"})";
  CHECK(nodes.renew({}, node));
  CHECK(nodes.renew({}, node));
  const auto read = nodes.getNode({}, "a");
  CHECK(read->renewals == 2);
  CHECK(read->lease_ms == 60'000);
  CHECK(read->address.empty());
  CHECK(read->reasons == node.reasons);
  REQUIRE(nodes.evict({}, "a", Life(11), 2));
  CHECK_FALSE(nodes.renew({}, node));
}

TEST_CASE("NodeTable renews on a session that died while it was idle") {
  TestStore store;
  auto& nodes = store->nodeTable();
  const auto node = makeNode("a", 11);
  REQUIRE(nodes.registerNode({}, node, std::nullopt));
  REQUIRE(nodes.renew({}, node));
  const auto connection = store.connect();
  auto rows = connection->queryDynamic(
      "test", "select id from information_schema.processlist where db = ? and id <> connection_id()", {store.schema()}
  );
  int num_killed = 0;
  while (rows.next()) {
    const auto id = rows.getString(1);
    try {
      connection->execute("kill " + id);
      ++num_killed;
    } catch (const Exception&) {  // gone by itself
    }
  }
  CHECK(num_killed >= 2);
  CHECK(nodes.renew({}, node));
  CHECK(nodes.getNode({}, "a")->renewals == 2);
}

TEST_CASE("A renewal that meets a locked row ends by the limit on lock waits, and does not land later") {
  TestStore store;
  auto& nodes = store->nodeTable();
  const auto node = makeNode("a", 11);
  REQUIRE(nodes.registerNode({}, node, std::nullopt));
  REQUIRE(nodes.renew({}, node));
  auto blocker = store.connect();
  blocker->begin();
  blocker->execute("update disttask_node set reasons='locked' where exec_id='a'");
  // An end by the read limit would be kStoreUnavailable: nobody would know what became of the statement.
  CHECK(codeOf([&] { nodes.renew({}, node); }) == ErrorCode::kStoreConflict);
  CHECK(codeOf([&] { nodes.evict({}, "a", Life(11), 1); }) == ErrorCode::kStoreConflict);
  blocker->rollback();
  CHECK(store.scalar("select renewals from disttask_node where exec_id='a'") == "1");
  CHECK(store.scalar("select life from disttask_node where exec_id='a'") == "11");
  CHECK(nodes.renew({}, node));
  CHECK(store.scalar("select renewals from disttask_node where exec_id='a'") == "2");
}

TEST_CASE("NodeTable evicts what was observed, and nothing that moved") {
  TestStore store;
  auto& nodes = store->nodeTable();
  const auto node = makeNode("a", 11);
  REQUIRE(nodes.registerNode({}, node, std::nullopt));
  REQUIRE(nodes.renew({}, node));
  CHECK_FALSE(nodes.evict({}, "a", Life(11), 0));
  CHECK_FALSE(nodes.evict({}, "a", Life(12), 1));
  CHECK_FALSE(nodes.evict({}, "none", Life(11), 1));
  CHECK(nodes.getNode({}, "a")->life == Life(11));
  CHECK(nodes.evict({}, "a", Life(11), 1));
  CHECK(nodes.getNode({}, "a")->life == Life(0));
  CHECK_FALSE(nodes.evict({}, "a", Life(11), 1));
  CHECK(store.scalar("select reason from disttask_event where event='evicted'") == "it did not renew its lease");
}

TEST_CASE("NodeTable releases a life by its own process alone") {
  TestStore store;
  auto& nodes = store->nodeTable();
  REQUIRE(nodes.registerNode({}, makeNode("a", 11), std::nullopt));
  CHECK_FALSE(nodes.release({}, "a", Life(12)));
  CHECK(nodes.release({}, "a", Life(11)));
  CHECK(nodes.getNode({}, "a")->life == Life(0));
  CHECK_FALSE(nodes.release({}, "a", Life(11)));
  CHECK(nodes.registerNode({}, makeNode("a", 13), Life(0)));
}

TEST_CASE("NodeTable keeps what the operator wanted over a restart") {
  TestStore store;
  auto& nodes = store->nodeTable();
  REQUIRE(nodes.registerNode({}, makeNode("a", 11), std::nullopt));
  store.execute("update disttask_node set wanted = 'draining', wanted_message = 'disk swap' where exec_id = 'a'");
  REQUIRE(nodes.registerNode({}, makeNode("a", 12), Life(11)));
  const auto read = nodes.getNode({}, "a");
  CHECK(read->wanted == proto::WantedState::kDraining);
  CHECK(read->wanted_message == "disk swap");
}

TEST_CASE("NodeTable writes a wish for whoever lives there, the last one counts", "[db][node_table]") {
  TestStore store;
  auto& nodes = store->nodeTable();
  CHECK_FALSE(nodes.setWish({}, "a", {proto::WantedState::kCordoned, std::nullopt, ""}));
  REQUIRE(nodes.registerNode({}, makeNode("a", 11), std::nullopt));
  REQUIRE(nodes.registerNode({}, makeNode("b", 12), std::nullopt));
  CHECK(nodes.setWish({}, "a", {proto::WantedState::kDraining, std::chrono::seconds(600), "disk swap"}));
  auto read = nodes.getNode({}, "a");
  CHECK(read->wanted == proto::WantedState::kDraining);
  CHECK(read->wanted_message == "disk swap");
  CHECK(
      store.scalar("select timestampdiff(second, now(), wanted_until) between 590 and 600 from disttask_node where "
                   "exec_id='a'") == "1"
  );
  CHECK(read->wanted_until > 0);
  CHECK(read->life == Life(11));
  // Dead or alive; and the same wish again is no mistake.
  REQUIRE(nodes.evict({}, "a", Life(11), 0));
  for (int i = 0; i < 2; ++i) CHECK(nodes.setWish({}, "a", {proto::WantedState::kCordoned, std::nullopt, ""}));
  read = nodes.getNode({}, "a");
  CHECK(read->wanted == proto::WantedState::kCordoned);
  CHECK(read->wanted_message.empty());
  CHECK(read->wanted_until == 0);
  CHECK(nodes.setWish({}, "a", {}));
  CHECK(nodes.getNode({}, "a")->wanted == proto::WantedState::kNormal);
  CHECK(nodes.getNode({}, "b")->wanted == proto::WantedState::kNormal);
}

TEST_CASE("NodeTable drains a node for its stop, until its next registration", "[db][node_table]") {
  TestStore store;
  auto& nodes = store->nodeTable();
  CHECK_FALSE(nodes.drainForStop({}, "a", Life(11), std::chrono::seconds(30)));
  REQUIRE(nodes.registerNode({}, makeNode("a", 11), std::nullopt));
  CHECK_FALSE(nodes.drainForStop({}, "a", Life(10), std::chrono::seconds(30)));
  CHECK(nodes.getNode({}, "a")->wanted == proto::WantedState::kNormal);
  for (int i = 0; i < 2; ++i) CHECK(nodes.drainForStop({}, "a", Life(11), std::chrono::seconds(30)));
  auto read = nodes.getNode({}, "a");
  CHECK(read->wanted == proto::WantedState::kDraining);
  CHECK(read->wanted_message == proto::kStopDrainMessage);
  CHECK(
      store.scalar("select timestampdiff(second, now(), wanted_until) between 25 and 30 from disttask_node where "
                   "exec_id='a'") == "1"
  );
  REQUIRE(nodes.release({}, "a", Life(11)));
  CHECK(nodes.getNode({}, "a")->wanted == proto::WantedState::kDraining);
  REQUIRE(nodes.registerNode({}, makeNode("a", 12), Life(0)));
  read = nodes.getNode({}, "a");
  CHECK(read->wanted == proto::WantedState::kNormal);
  CHECK(read->wanted_message.empty());
  CHECK(read->wanted_until == 0);
  CHECK(
      store.scalar("select group_concat(to_state order by seq) from disttask_event where exec_id='a' and event='wanted'"
      ) == "draining,normal"
  );
}

TEST_CASE("NodeTable leaves an operator's wish alone when its node stops and begins again", "[db][node_table]") {
  TestStore store;
  auto& nodes = store->nodeTable();
  REQUIRE(nodes.registerNode({}, makeNode("a", 11), std::nullopt));
  for (const auto wanted : {proto::WantedState::kCordoned, proto::WantedState::kDraining}) {
    REQUIRE(nodes.setWish({}, "a", {wanted, std::nullopt, "disk swap"}));
    CHECK_FALSE(nodes.drainForStop({}, "a", Life(11), std::chrono::seconds(30)));
    REQUIRE(nodes.registerNode({}, makeNode("a", 11), Life(11)));
    const auto read = nodes.getNode({}, "a");
    CHECK(read->wanted == wanted);
    CHECK(read->wanted_message == "disk swap");
    CHECK(read->wanted_until == 0);
  }
}

TEST_CASE("NodeTable refuses a wish that makes no sense", "[db][node_table]") {
  TestStore store;
  auto& nodes = store->nodeTable();
  REQUIRE(nodes.registerNode({}, makeNode("a", 11), std::nullopt));
  const auto refused = [&](const storage::NodeWish& wish) {
    return codeOf([&] { static_cast<void>(nodes.setWish({}, "a", wish)); }) == ErrorCode::kInvalidArgument;
  };
  CHECK(refused({proto::WantedState::kCordoned, std::chrono::seconds(1), ""}));
  CHECK(refused({proto::WantedState::kDraining, std::chrono::seconds(-1), ""}));
  CHECK(refused({proto::WantedState::kDraining, std::nullopt, std::string(1025, 'x')}));
  CHECK(refused({proto::WantedState::kDraining, std::nullopt, "\xff"}));
  CHECK(refused({proto::WantedState::kDraining, std::nullopt, std::string(proto::kStopDrainMessage)}));
  CHECK(nodes.getNode({}, "a")->wanted == proto::WantedState::kNormal);
}

TEST_CASE("NodeTable lists all nodes by id and shows a missing meta row") {
  TestStore store;
  auto& nodes = store->nodeTable();
  CHECK(nodes.getAllNodes({}).empty());
  for (const auto* id : {"c", "a", "B"}) REQUIRE(nodes.registerNode({}, makeNode(id, 11), std::nullopt));
  store.execute("delete from dist_framework_meta where host = 'a'");
  store.execute("insert into dist_framework_meta (host, role) values ('stranger', '')");
  std::string seen;
  for (const auto& node : nodes.getAllNodes({}))
    seen += node.exec_id + (node.has_meta_row ? "+" : "-") + node.role + " ";
  CHECK(seen == "B+disttask a- c+disttask ");
}

TEST_CASE("NodeTable forgets an evicted node without subtasks, and no other") {
  TestStore store;
  auto& nodes = store->nodeTable();
  REQUIRE(nodes.registerNode({}, makeNode("a", 11), std::nullopt));
  CHECK(codeOf([&] { static_cast<void>(nodes.forget({}, "a", Life(11))); }) == ErrorCode::kPrecondition);
  CHECK_FALSE(nodes.forget({}, "a", Life(0)));
  CHECK_FALSE(nodes.forget({}, "none", Life(0)));
  REQUIRE(nodes.evict({}, "a", Life(11), 0));
  store.execute(
      "insert into tidb_background_subtask (step, task_key, type, exec_id, state, checkpoint, ordinal) values (1, '1', "
      "1, 'a', 'pending', '{}', 1)"
  );
  CHECK(codeOf([&] { static_cast<void>(nodes.forget({}, "a", Life(0))); }) == ErrorCode::kPrecondition);
  CHECK(nodes.getNode({}, "a"));
  store.execute("update tidb_background_subtask set exec_id = 'b'");
  CHECK(nodes.forget({}, "a", Life(0)));
  CHECK_FALSE(nodes.getNode({}, "a"));
  CHECK(store.scalar("select count(*) from dist_framework_meta") == "0");
}

TEST_CASE("NodeTable tells a query that did not run from an empty table") {
  TestStore store;
  store.execute("drop table disttask_node");
  CHECK(codeOf([&] { static_cast<void>(store->nodeTable().getAllNodes({})); }) == ErrorCode::kStoreSchema);
  runtime::CancelSource cancel;
  cancel.cancel(runtime::CancelCause::kShutdown);
  CHECK(codeOf([&] {
          static_cast<void>(store->nodeTable().getAllNodes({cancel.token(), {}}));
        }) == ErrorCode::kCancelled);
}

TEST_CASE("What stands in keyspace_id changes nothing of a node", "[db][node_table]") {
  TestStore store;
  auto& nodes = store->nodeTable();
  REQUIRE(nodes.registerNode({}, makeNode("a", 11), std::nullopt));
  store.execute("update dist_framework_meta set keyspace_id = 4711");
  const auto read = nodes.getNode({}, "a");
  REQUIRE(read);
  CHECK(read->has_meta_row);
  CHECK(read->role == "disttask");
  CHECK(read->slots == 8);
}

TEST_CASE("NodeTable writes what a living life offers anew, and nothing of another") {
  TestStore store;
  auto& nodes = store->nodeTable();
  auto node = makeNode("a", 11);
  CHECK_FALSE(nodes.describe({}, node));  // no row
  REQUIRE(nodes.registerNode({}, node, std::nullopt));
  node.role = "other";
  node.slots = 77;
  node.types = {{"x", "9"}};
  node.host = "not written";
  CHECK(nodes.describe({}, node));
  CHECK(nodes.describe({}, node));
  auto read = nodes.getNode({}, "a");
  CHECK(read->role == "other");
  CHECK(read->slots == 77);
  CHECK(read->types == node.types);
  CHECK(read->host != node.host);
  CHECK(read->renewals == 0);
  node.life = Life(12);
  node.role = "third";
  CHECK_FALSE(nodes.describe({}, node));
  CHECK(nodes.getNode({}, "a")->role == "other");
  REQUIRE(nodes.evict({}, "a", Life(11), 0));
  node.life = Life(11);
  CHECK_FALSE(nodes.describe({}, node));
  CHECK(nodes.getNode({}, "a")->role == "other");
}
