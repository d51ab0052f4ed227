// Who is alive (design rules 1-5): identity, take-over, refusal, renewal, loss.
#include "disttask/executor/node_lease.hpp"

#include "disttask/executor/instance_lock.hpp"
#include "executor_fixture.hpp"

#include "support/child_process.hpp"
#include "support/counted_pool.hpp"
#include "support/temp_dir.hpp"
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <unistd.h>

#include <csignal>

using namespace disttask;
using namespace disttask::test;
using Catch::Matchers::Contains;
using executor::InstanceLock;
using executor::NodeLease;

namespace {

/// The side table of nodes in memory.
class FakeNodes final : public storage::NodeTable {
 public:
  using Call = runtime::Call;
  std::optional<proto::Node> getNode(const Call&, const proto::ExecId& exec_id) override {
    const std::lock_guard lock(mutex_);
    failIfAway();
    const auto at = nodes_.find(exec_id);
    return at == nodes_.end() ? std::nullopt : std::optional(at->second);
  }
  std::vector<proto::Node> getAllNodes(const Call&) override { return {}; }
  bool registerNode(const Call&, const proto::Node& node, const std::optional<proto::Life>& expected) override {
    const std::lock_guard lock(mutex_);
    failIfAway();
    const auto at = nodes_.find(node.exec_id);
    if (expected ? at == nodes_.end() || at->second.life != *expected : at != nodes_.end()) return false;
    nodes_[node.exec_id] = node;
    return true;
  }
  bool renew(const Call&, const proto::Node& node) override {
    const std::lock_guard lock(mutex_);
    failIfAway();
    const auto at = nodes_.find(node.exec_id);
    if (at == nodes_.end() || at->second.life != node.life) return false;
    ++at->second.renewals;
    return true;
  }
  bool describe(const Call&, const proto::Node& node) override {
    const std::lock_guard lock(mutex_);
    failIfAway();
    if (refuses_describe) throw Exception(ErrorCode::kStoreConflict, "not now");
    const auto at = nodes_.find(node.exec_id);
    if (at == nodes_.end() || at->second.life != node.life) return false;
    at->second.role = node.role;
    at->second.slots = node.slots;
    at->second.types = node.types;
    return true;
  }
  bool release(const Call&, const proto::ExecId& exec_id, proto::Life life) override { return end(exec_id, life); }
  bool evict(const Call&, const proto::ExecId& exec_id, proto::Life life, std::int64_t renewals) override {
    if (get(exec_id).renewals != renewals) return false;
    return end(exec_id, life);
  }
  bool setWish(const Call&, const proto::ExecId&, const storage::NodeWish&) override { return false; }
  bool drainForStop(const Call&, const proto::ExecId&, proto::Life, std::chrono::seconds) override { return false; }
  bool forget(const Call&, const proto::ExecId&, proto::Life) override { return false; }

  proto::Node get(const proto::ExecId& exec_id = kNode) {
    const std::lock_guard lock(mutex_);
    return nodes_[exec_id];
  }
  void put(const proto::Node& node) {
    const std::lock_guard lock(mutex_);
    nodes_[node.exec_id] = node;
  }
  std::atomic<bool> away{false};
  std::atomic<bool> refuses_describe{false};

 private:
  void failIfAway() const {
    if (away) throw Exception(ErrorCode::kStoreUnavailable, "the store is gone");
  }
  bool end(const proto::ExecId& exec_id, proto::Life life) {
    const std::lock_guard lock(mutex_);
    failIfAway();
    auto& node = nodes_[exec_id];
    if (node.life != life) return false;
    node.life = proto::Life();
    return true;
  }
  std::mutex mutex_;
  std::map<proto::ExecId, proto::Node> nodes_;
};

struct Leases {
  World world;  // for its clock and timers
  TempDir dir;
  FakeNodes nodes;
  CountedPool ctl;
  executor::LeaseSettings settings;
  std::atomic<std::int64_t> live_runs{0};
  std::atomic<std::uint64_t> polls{0};
  std::atomic<bool> polls_move{true};
  std::atomic<int> at_risk{0};
  std::atomic<int> expired{0};
  std::atomic<int> evicted{0};
  std::mutex writer_mutex;
  std::optional<std::uint64_t> writer;  // guarded by writer_mutex: what its progress is

  Leases() {
    settings.exec_id = kNode;
    settings.state_dir = dir / "state";
    settings.host = "here";
    settings.types = {{"t", "1"}};
  }
  std::unique_ptr<NodeLease> make() {
    return std::make_unique<NodeLease>(settings, nodes, world.clock, world.timers, ctl);
  }
  void start(NodeLease& lease) {
    lease.start({
        [this] { return live_runs.load(); },
        [this] { return polls_move ? ++polls : polls.load(); },
        [this] { ++at_risk; },
        [this] { ++expired; },
        [this] { ++evicted; },
        [this] {
          const std::lock_guard lock(writer_mutex);
          return writer;
        },
    });
  }
  /// Runs acquire on a thread until it is done, or `time` has passed; returns its error's text, or "" or "waiting".
  std::string acquire(NodeLease& lease, runtime::Duration time) {
    runtime::ThreadGroup threads;
    runtime::CancelSource source;
    std::atomic<bool> done{false};
    std::string text;
    threads.spawn("acquire", [&] {
      try {
        lease.acquire(source.token());
      } catch (const Exception& e) {
        text = e.error().code() == ErrorCode::kCancelled ? "waiting" : e.error().message();
      }
      done = true;
    });
    const auto begin = world.clock.now();
    while (!done && world.clock.now() - begin <= time) {
      world.clock.advance(500ms);  // the time between two looks
      world.clock.comeToRest();
    }
    source.cancel(runtime::CancelCause::kShutdown);
    threads.join();
    return text;
  }
  bool runUntil(const std::function<bool()>& done, runtime::Duration step = 250ms) {
    const runtime::Deadline deadline(runtime::systemClock(), kSoon);
    while (!deadline.isReached()) {
      if (!eventually([&] { return ctl.pending == 0; })) return false;
      if (done()) return true;
      world.clock.advance(step);
    }
    return false;
  }
  bool pass(runtime::Duration time) {
    const auto begin = world.clock.now();
    return runUntil([&] { return world.clock.now() - begin > time; });
  }
  /// Makes the row that a process elsewhere would have made.
  proto::Node elsewhere() {
    proto::Node node;
    node.exec_id = kNode;
    node.life = proto::Life(4711);
    node.instance_uuid = "somebody-else";
    node.host = "there";
    node.pid = 99;
    nodes.put(node);
    return node;
  }
};

}  // namespace

TEST_CASE("A new node registers all that others need to know", "[executor][lease]") {
  Leases leases;
  const auto lease = leases.make();
  CHECK_FALSE(lease->mayStart());
  REQUIRE(leases.acquire(*lease, 5s) == "");
  CHECK(lease->mayStart());
  const auto row = leases.nodes.get();
  CHECK(row.life.value() > 0);
  CHECK(row.life == lease->node().life);
  CHECK(row.nudge_token > 0);
  CHECK(row.pid == ::getpid());
  CHECK(row.role == "disttask");
  CHECK(row.types.at("t") == "1");
  CHECK(row.instance_uuid.size() == 36);
  CHECK_FALSE(row.boot_id.empty());
  CHECK_THAT(row.lock_file_id, Contains(":"));
}

TEST_CASE("The same instance takes its row over at once after its process was killed", "[executor][lease]") {
  Leases leases;
  auto first = leases.make();
  REQUIRE(leases.acquire(*first, 5s) == "");
  const auto old = leases.nodes.get();
  first.reset();  // without release: as after kill -9
  const auto second = leases.make();
  REQUIRE(leases.acquire(*second, 400ms) == "");
  CHECK(leases.nodes.get().life != old.life);
  CHECK(leases.nodes.get().instance_uuid == old.instance_uuid);
  CHECK(leases.world.log.count("node took its row over") == 1);
}

TEST_CASE("A second process on this machine is refused and the message names the first", "[executor][lease]") {
  Leases leases;
  const auto first = leases.make();
  CHECK_THROWS_WITH(leases.make(), Contains("process " + std::to_string(::getpid())));
}

TEST_CASE("A second life elsewhere waits, says who holds the id, and gives up after its timeout", "[executor][lease]") {
  Leases leases;
  auto holder = leases.elsewhere();
  leases.settings.acquire_timeout = 60s;
  const auto lease = leases.make();
  // The holder lives: it renews every few seconds.
  std::atomic<bool> stop{false};
  std::function<void()> renew = [&] {
    ++holder.renewals;
    leases.nodes.put(holder);
    if (!stop) leases.world.timers.after(5s, renew);
  };
  leases.world.timers.after(5s, renew);
  const auto text = leases.acquire(*lease, 90s);
  stop = true;
  CHECK_THAT(text, Contains("process 99") && Contains("'there'") && Contains("4711"));
  CHECK(leases.nodes.get().life == proto::Life(4711));
  CHECK_FALSE(lease->mayStart());
  const auto lines = leases.world.log.records("this node's id is held by another life, waiting for its lease to end");
  REQUIRE_FALSE(lines.empty());
  CHECK(lines.front().value("pid") == "99");
  CHECK(lines.front().value("host") == "there");
}

TEST_CASE("A silent life elsewhere is evicted after its lease and a second, not before", "[executor][lease]") {
  Leases leases;
  leases.elsewhere();
  const auto lease = leases.make();
  CHECK(leases.acquire(*lease, 28s) == "waiting");
  const auto begin = leases.world.clock.now();
  REQUIRE(leases.acquire(*lease, 60s) == "");  // another call watches anew
  CHECK(leases.world.clock.now() - begin >= 31s);
  CHECK(leases.nodes.get().instance_uuid == lease->node().instance_uuid);
}

TEST_CASE(
    "A copied state directory, another boot, a lost UUID or a lost lock file is another instance", "[executor][lease]"
) {
  Leases leases;
  {
    const auto first = leases.make();
    REQUIRE(leases.acquire(*first, 5s) == "");
  }
  SECTION("another boot") {
    leases.settings.boot_id_file = leases.dir.write("boot", "other-boot\n");
  }
  SECTION("copied directory") {
    leases.settings.state_dir = leases.dir / "copy";
    std::filesystem::copy(leases.dir / "state", leases.dir / "copy");
  }
  SECTION("lost UUID") {
    std::filesystem::remove(leases.dir / "state" / "instance");
  }
  SECTION("lost lock file") {
    std::filesystem::rename(
        leases.dir / "state" / "lock", leases.dir / "old"
    );  // kept, so that its inode is not reused
  }
  const auto second = leases.make();
  CHECK(leases.acquire(*second, 10s) == "waiting");
}

TEST_CASE("A released id is taken by the next one at once", "[executor][lease]") {
  Leases leases;
  {
    const auto first = leases.make();
    REQUIRE(leases.acquire(*first, 5s) == "");
    leases.start(*first);
    first->release();
    first->release();
    CHECK_FALSE(first->mayStart());
    CHECK(leases.nodes.get().life.value() == 0);
  }
  leases.settings.state_dir = leases.dir / "another";
  const auto second = leases.make();
  CHECK(leases.acquire(*second, 2s) == "");
}

TEST_CASE("Acquire waits while the store is away", "[executor][lease]") {
  Leases leases;
  leases.nodes.away = true;
  const auto lease = leases.make();
  CHECK(leases.acquire(*lease, 20s) == "waiting");
  leases.nodes.away = false;
  CHECK(leases.acquire(*lease, 5s) == "");
}

TEST_CASE("A lease is renewed at each quarter of it and stays valid", "[executor][lease]") {
  Leases leases;
  const auto lease = leases.make();
  REQUIRE(leases.acquire(*lease, 5s) == "");
  leases.start(*lease);
  REQUIRE(leases.pass(120s));
  CHECK(leases.nodes.get().renewals >= 14);
  CHECK(leases.nodes.get().renewals <= 18);
  CHECK(lease->mayStart());
  CHECK(lease->validFor() > 15s);
  CHECK(leases.at_risk == 0);
}

TEST_CASE(
    "Two thirds into a lease without a renewal runs are cancelled, before its end the process must go",
    "[executor][lease]"
) {
  Leases leases;
  const auto lease = leases.make();
  REQUIRE(leases.acquire(*lease, 5s) == "");
  leases.start(*lease);
  REQUIRE(leases.runUntil([&] { return leases.nodes.get().renewals >= 1; }));
  leases.nodes.away = true;
  leases.live_runs = GENERATE(0, 1);
  const auto begin = leases.world.clock.now();
  REQUIRE(leases.runUntil([&] { return leases.at_risk == 1; }));
  REQUIRE(lease->lastError());
  CHECK(lease->lastError()->code() == ErrorCode::kStoreUnavailable);
  CHECK(leases.world.clock.now() - begin >= 18s);
  CHECK(leases.world.clock.now() - begin <= 22s);
  CHECK_FALSE(lease->mayStart());
  CHECK(leases.expired == 0);
  REQUIRE(leases.pass(9s));
  CHECK(leases.expired == (leases.live_runs > 0 ? 1 : 0));
  // A later matched renewal revives the lease.
  leases.nodes.away = false;
  CHECK(leases.runUntil([&] { return lease->mayStart(); }));
  CHECK_FALSE(lease->lastError());
  CHECK(leases.at_risk == 1);
}

TEST_CASE("A process that was stopped beyond its lease knows it at once", "[executor][lease]") {
  Leases leases;
  const auto lease = leases.make();
  REQUIRE(leases.acquire(*lease, 5s) == "");
  leases.world.clock.advance(31s);  // nothing ran meanwhile
  CHECK_FALSE(lease->mayStart());
  CHECK(lease->validFor() == 0s);
}

TEST_CASE(
    "A process that stood still beyond its lease cancels its runs first and ends only if they go on",
    "[executor][lease]"
) {
  Leases leases;
  FakeClock timer_clock;  // stands still while the process does; the lease's clock goes on
  FakeTimers timers(timer_clock);
  NodeLease lease(leases.settings, leases.nodes, leases.world.clock, timers, leases.ctl);
  REQUIRE(leases.acquire(lease, 5s) == "");
  leases.nodes.away = true;
  leases.live_runs = 1;
  leases.start(lease);
  leases.world.clock.advance(60s);
  CHECK(leases.at_risk == 0);
  timer_clock.advance(1s);
  CHECK(leases.at_risk == 1);
  CHECK(leases.expired == 0);
  const bool returns = GENERATE(true, false);
  if (returns) leases.live_runs = 0;
  for (int i = 0; i < 3; ++i) {
    leases.world.clock.advance(1s);
    timer_clock.advance(1s);
  }
  CHECK(leases.expired == (returns ? 0 : 1));
}

TEST_CASE("An evicted life cancels its runs, waits for them, and begins a new life", "[executor][lease]") {
  Leases leases;
  const auto lease = leases.make();
  REQUIRE(leases.acquire(*lease, 5s) == "");
  const auto old = leases.nodes.get().life;
  leases.live_runs = 1;
  leases.start(*lease);
  REQUIRE(leases.nodes.evict({}, kNode, old, leases.nodes.get().renewals));
  REQUIRE(leases.runUntil([&] { return leases.evicted == 1; }));
  CHECK_FALSE(lease->mayStart());
  CHECK(lease->validFor() == 0s);
  REQUIRE(leases.pass(5s));
  CHECK(leases.nodes.get().life.value() == 0);  // a run has not returned
  leases.live_runs = 0;
  REQUIRE(leases.runUntil([&] { return lease->mayStart(); }));
  CHECK(leases.nodes.get().life != old);
  CHECK(leases.nodes.get().life.value() > 0);
}

TEST_CASE("A poll that shows another life ends this one at once", "[executor][lease]") {
  Leases leases;
  const auto lease = leases.make();
  REQUIRE(leases.acquire(*lease, 5s) == "");
  leases.start(*lease);
  REQUIRE(leases.pass(1s));
  storage::NodePoll seen;
  seen.life = leases.nodes.get().life;
  seen.began = leases.world.clock.now();
  lease->takePoll(seen);
  CHECK(lease->mayStart());

  const auto old = leases.nodes.get();
  leases.live_runs = 1;
  REQUIRE(leases.nodes.evict({}, kNode, old.life, old.renewals));
  seen.life = GENERATE(std::optional(proto::Life(0)), std::optional(proto::Life(4711)), std::optional<proto::Life>());
  lease->takePoll(seen);
  lease->takePoll(seen);
  CHECK(leases.evicted == 1);  // though the clock stood still; its runs are cancelled by this
  CHECK_FALSE(lease->mayStart());
  leases.live_runs = 0;
  REQUIRE(leases.runUntil([&] { return lease->mayStart(); }));
  CHECK(leases.nodes.get().life != old.life);

  lease->takePoll(seen);  // a late answer from before the new life began
  CHECK(lease->mayStart());
  CHECK(leases.evicted == 1);
}

TEST_CASE("A node whose writer stands still does not renew, one that has nothing to write does", "[executor][lease]") {
  Leases leases;
  const auto lease = leases.make();
  REQUIRE(leases.acquire(*lease, 5s) == "");
  leases.start(*lease);
  REQUIRE(leases.pass(60s));
  CHECK(leases.at_risk == 0);
  const auto set = [&](std::optional<std::uint64_t> count) {
    const std::lock_guard lock(leases.writer_mutex);
    leases.writer = count;
  };
  set(7);
  REQUIRE(leases.pass(26s));
  const auto renewals = leases.nodes.get().renewals;
  REQUIRE(leases.pass(20s));
  CHECK(leases.nodes.get().renewals == renewals);
  CHECK(leases.at_risk == 1);
  CHECK(
      leases.world.log.records("a loop of this node stands still, so the lease is not renewed").front().value("loop") ==
      "writer"
  );
  set(8);
  CHECK(leases.runUntil([&] { return lease->mayStart(); }));
}

TEST_CASE("A node whose writer stands still begins no new life after an eviction", "[executor][lease]") {
  Leases leases;
  const auto lease = leases.make();
  REQUIRE(leases.acquire(*lease, 5s) == "");
  leases.start(*lease);
  const auto set = [&](std::uint64_t count) {
    const std::lock_guard lock(leases.writer_mutex);
    leases.writer = count;
  };
  set(7);
  REQUIRE(leases.pass(26s));
  const auto old = leases.nodes.get();
  REQUIRE(leases.nodes.evict({}, kNode, old.life, old.renewals));
  storage::NodePoll seen;
  seen.life = proto::Life(0);
  seen.began = leases.world.clock.now();
  lease->takePoll(seen);
  lease->takePoll(seen);
  REQUIRE(leases.pass(20s));
  CHECK_FALSE(lease->mayStart());
  CHECK(leases.nodes.get().life == proto::Life());
  set(8);
  CHECK(leases.runUntil([&] { return lease->mayStart(); }));
}

TEST_CASE("While the store is away a loop that waits for it is not taken for a wedged one", "[executor][lease]") {
  Leases leases;
  const auto lease = leases.make();
  REQUIRE(leases.acquire(*lease, 5s) == "");
  leases.start(*lease);
  REQUIRE(leases.pass(10s));
  leases.polls_move = false;
  leases.nodes.away = true;
  REQUIRE(leases.pass(40s));
  leases.nodes.away = false;
  REQUIRE(leases.runUntil([&] { return lease->mayStart(); }, 100ms));
  CHECK(leases.world.log.records("a loop of this node stands still, so the lease is not renewed").empty());
}

TEST_CASE("A node whose poll loop stands still does not renew", "[executor][lease]") {
  Leases leases;
  const auto lease = leases.make();
  REQUIRE(leases.acquire(*lease, 5s) == "");
  leases.start(*lease);
  REQUIRE(leases.pass(25s));
  leases.polls_move = false;
  REQUIRE(leases.pass(25s));
  const auto renewals = leases.nodes.get().renewals;
  REQUIRE(leases.pass(20s));
  CHECK(leases.nodes.get().renewals == renewals);
  CHECK(leases.at_risk == 1);
  leases.polls_move = true;
  CHECK(leases.runUntil([&] { return lease->mayStart(); }));
}

TEST_CASE("A state directory that cannot be used is an error that names it", "[executor][lease]") {
  TempDir dir;
  const auto file = dir.write("file", "x");
  CHECK_THROWS_WITH(InstanceLock::acquire(file / "state"), Contains("state directory") && Contains("file/state"));
  CHECK_THROWS_WITH(InstanceLock::acquire(dir / "state", dir / "no-boot-id"), Contains("no-boot-id"));
}

TEST_CASE("The lock of a state directory is inherited by children", "[executor][lease]") {
  TempDir dir;
  const auto lock = InstanceLock::acquire(dir / "state");
  bool found = false;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    if (std::filesystem::read_symlink(entry.path(), error) != dir / "state" / "lock") continue;
    found = true;
    CHECK((::fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC) == 0);
  }
  CHECK(found);
}

TEST_CASE(
    "A child that outlives the daemon keeps the lock, and no descriptor that closes drops it", "[executor][lease]"
) {
  TempDir dir;
  auto lock = std::make_optional(InstanceLock::acquire(dir / "state"));
  // As any code in the process may do: a POSIX lock would be gone now.
  const int other = ::open((dir / "state" / "lock").c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(other >= 0);
  ::close(other);
  CHECK_THROWS_WITH(InstanceLock::acquire(dir / "state"), Contains("is in use by process"));
  auto child = std::make_optional<ChildProcess>(std::vector<std::string>{"sleep", "600"});
  REQUIRE(child->isRunning());
  lock.reset();
  CHECK_THROWS_WITH(InstanceLock::acquire(dir / "state"), Contains("or a child of it"));
  child->kill(SIGKILL);
  REQUIRE(child->wait());
  CHECK_NOTHROW(InstanceLock::acquire(dir / "state"));
}

TEST_CASE("What a node offers anew is written with the next renewal, and tried until it is", "[executor][lease]") {
  Leases leases;
  const auto lease = leases.make();
  REQUIRE(leases.acquire(*lease, 5s) == "");
  leases.start(*lease);
  REQUIRE(leases.runUntil([&] { return leases.nodes.get().renewals > 0; }));
  leases.nodes.refuses_describe = true;
  lease->describe("other", 7, {{"t", "1"}, {"u", "2"}});
  const auto renewals = leases.nodes.get().renewals;
  REQUIRE(leases.runUntil([&] { return leases.nodes.get().renewals > renewals + 1; }));
  // The lease itself does not suffer.
  CHECK(leases.nodes.get().role == "disttask");
  CHECK_FALSE(lease->lastError());
  leases.nodes.refuses_describe = false;
  REQUIRE(leases.runUntil([&] { return leases.nodes.get().role == "other"; }));
  CHECK(leases.nodes.get().slots == 7);
  CHECK(leases.nodes.get().types.at("u") == "2");
  CHECK(leases.world.log.count("the node's row says what it offers now") == 1);
}

TEST_CASE("A life that begins after an eviction offers what was said last", "[executor][lease]") {
  Leases leases;
  const auto lease = leases.make();
  REQUIRE(leases.acquire(*lease, 5s) == "");
  leases.start(*lease);
  REQUIRE(leases.runUntil([&] { return leases.nodes.get().renewals > 0; }));
  auto row = leases.nodes.get();
  const auto old = row.life;
  row.life = proto::Life();
  leases.nodes.put(row);
  lease->describe("other", 7, {{"u", "2"}});
  REQUIRE(leases.runUntil([&] { return leases.nodes.get().life.value() != 0; }));
  row = leases.nodes.get();
  CHECK(row.life != old);
  CHECK(row.role == "other");
  CHECK(row.slots == 7);
  CHECK(row.types.count("u") == 1);
}
