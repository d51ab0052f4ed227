// What becomes of many tasks at once while owners change or double, and while nodes come and go.
#include "disttask/base/failpoint.hpp"
#include "disttask/base/random.hpp"
#include "flow_cluster.hpp"
#include "live_roles.hpp"

#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <algorithm>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;

namespace {

/// Nodes with planners of their own threads, and tasks of type `demo` with two steps; their subtasks end at once.
class Framework : public SchedulerFixture {
 public:
  /// A step of `step_rows` subtasks, planned in batches of `batch_rows`, then one of one batch.
  Framework(std::vector<std::string> nodes_in, int step_rows, int batch_rows) : names(std::move(nodes_in)) {
    const auto type = std::make_shared<SteppedType>();
    type->step_rows = step_rows;
    type->batch_rows = batch_rows;
    for (const auto& name : names) {
      addNode(name);
      planners.push_back(std::make_unique<LivePlanner>(store().store(), name, type));
    }
  }
  void addTasks(int count) {
    for (int i = 1; i <= count; ++i) tasks.push_back(addTask("task-" + std::to_string(i)).id);
  }
  /// What all nodes do by themselves: they live, and end the subtasks that they have.
  void work() {
    for (const auto& name : names) renew(name);
    for (const auto id : tasks) finishPending(*this, id);
  }
  bool haveSucceeded() {
    return text("select count(*) from tidb_global_task where state='succeed'") == std::to_string(tasks.size());
  }
  /// Each task has gone through its steps once, with exactly these subtasks.
  void checkEach(std::int64_t in_step_one, std::int64_t in_step_two) {
    for (const auto id : tasks) {
      INFO("task " << id.value());
      CHECK(findHoles(*this, id).empty());
      const auto all = rows(id);
      CHECK(std::count_if(all.begin(), all.end(), [](const auto& row) { return row.step == 1; }) == in_step_one);
      CHECK(std::count_if(all.begin(), all.end(), [](const auto& row) { return row.step == 2; }) == in_step_two);
      CHECK(std::all_of(all.begin(), all.end(), [](const auto& row) { return row.state == "succeed"; }));
      std::string events;
      for (const auto& each : store()->clientTable().listEvents(call(), id, 100)) events += each.event + " ";
      CHECK(events == "enter-step enter-step succeed ");
    }
  }

  const std::vector<std::string> names;
  std::vector<std::unique_ptr<LivePlanner>> planners;
  std::vector<proto::TaskId> tasks;
};

scheduler::SchedulerSettings quick() {
  scheduler::SchedulerSettings settings;
  settings.busy_interval = 20ms;
  settings.idle_interval = 50ms;
  return settings;
}

}  // namespace

TEST_CASE(
    "Ten tasks on five nodes succeed with exactly the subtasks of their plans while the owner changes three times",
    "[db][scheduler][whole]"
) {
  Framework framework({"a", "b", "c", "d", "e"}, 3, 1);
  std::map<std::string, std::unique_ptr<LiveOwner>> owners;
  for (const auto& name : framework.names) {
    owners[name] = std::make_unique<LiveOwner>(framework.store().store(), name, quick());
  }
  framework.addTasks(10);
  // After how many of the forty subtasks.
  std::vector<std::uint64_t> changes;
  for (int i = 0; i < 3; ++i) changes.push_back(randomBelow(36));
  std::sort(changes.begin(), changes.end());
  INFO("the owner goes after " << changes[0] << ", " << changes[1] << " and " << changes[2] << " subtasks");
  for (const auto change : changes) {
    std::string holder;
    REQUIRE(eventually([&] {
      const auto done = framework.text("select count(*) from tidb_background_subtask where state='succeed'");
      if (std::stoull(done) < change) framework.work();
      holder = framework.text("select if(life=0,'',exec_id) from disttask_owner");
      return std::stoull(done) >= change && !holder.empty();
    }));
    owners.at(holder).reset();
    owners[holder] = std::make_unique<LiveOwner>(framework.store().store(), holder, quick());
  }
  REQUIRE(eventually([&] {
    framework.work();
    return framework.haveSucceeded();
  }));
  framework.checkEach(3, 1);
  CHECK(std::stoi(framework.text("select term from disttask_owner")) >= 4);
}

TEST_CASE(
    "Ten tasks led by two or three owners at once have the subtasks of their plans once and succeed",
    "[db][scheduler][whole]"
) {
  const std::size_t further = GENERATE(1U, 2U);
  Framework framework({"a", "b"}, 10, 5);
  std::vector<std::unique_ptr<storage::mysql::Store>> stores;
  std::vector<std::unique_ptr<LedScheduler>> owners;
  for (std::size_t i = 0; i <= further; ++i) {
    stores.push_back(framework.store().makeStore());
    owners.push_back(std::make_unique<LedScheduler>(*stores.back(), "owner-" + std::to_string(i)));
  }
  framework.addTasks(10);
  // Every third transaction of an owner stands still, what it writes decided, until another one has led on.
  std::vector<LedScheduler*> acting;
  int transactions = 0;
  int overlaps = 0;
  const auto lead = [&](LedScheduler& owner) {
    acting.push_back(&owner);
    framework.work();
    owner.round();
    acting.pop_back();
  };
  Failpoints::arm("owner.before_fence", [&] {
    if (acting.empty() || acting.size() > further || ++transactions % 3 != 0) return;
    const auto next = std::find_if(owners.begin(), owners.end(), [&](const auto& owner) {
      return std::find(acting.begin(), acting.end(), owner.get()) == acting.end();
    });
    for (int i = 0; i < 200 && !(*next)->service().isOwner(); ++i) lead(**next);
    if (!(*next)->service().isOwner()) return;
    ++overlaps;
    lead(**next);
  });
  const bool succeeded = eventually(60s, [&] {
    for (const auto& owner : owners) lead(*owner);
    return framework.haveSucceeded();
  });
  Failpoints::disarm("owner.before_fence");
  REQUIRE(succeeded);
  CHECK(overlaps >= 3);
  framework.checkEach(10, 5);
}

TEST_CASE("Twelve tasks succeed while nodes come and go", "[db][scheduler][whole]") {
  Cluster cluster({"node-1", "node-2", "node-3"});
  std::vector<proto::TaskId> tasks;
  for (int i = 1; i <= 12; ++i) tasks.push_back(cluster.addTask("task-" + std::to_string(i)).id);
  std::size_t num_nodes = cluster.alive.size();
  int left = 0;
  int died = 0;
  const auto change = [&] {
    cluster.alive.push_back("node-" + std::to_string(++num_nodes));
    cluster.addNode(cluster.alive.back());
    if (cluster.alive.size() < 3) return;
    const auto gone = cluster.alive.begin() + static_cast<std::ptrdiff_t>(randomBelow(cluster.alive.size() - 1));
    if (cluster.begin(*gone, 1) > 0 && died < 3) {
      ++died;  // with a run; its lease has to end
    } else {
      cluster.store().execute(
          "update tidb_background_subtask set state='succeed' where state='running' and exec_id='" + *gone + "'"
      );
      const auto life = cluster.nodes().getNode(Cluster::call(), *gone)->life;
      REQUIRE(cluster.nodes().release(Cluster::call(), *gone, life));
      ++left;
    }
    cluster.alive.erase(gone);
  };
  const auto haveSucceeded = [&] {
    return cluster.text("select count(*) from tidb_global_task where state='succeed'") == "12";
  };
  for (int turn = 0; turn < 400 && !haveSucceeded(); ++turn) {
    cluster.turn();
    if (turn % 3 == 0 && num_nodes < 13) change();
    for (const auto& name : cluster.alive) cluster.run(name, "succeed", 4);
  }
  REQUIRE(haveSucceeded());
  CHECK(died >= 1);
  CHECK(left >= 3);
  for (const auto id : tasks) {
    const auto rows = cluster.rows(id);
    REQUIRE(rows.size() == 16);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      CHECK(rows[i].state == "succeed");
      CHECK(rows[i].step == (i < 8 ? 1 : 2));
      CHECK(rows[i].ordinal == static_cast<std::int64_t>(i % 8) + 1);
    }
  }
}
