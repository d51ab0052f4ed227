#include "part_settings.hpp"

#include "store_settings.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::app;
using namespace std::chrono_literals;

namespace {
settings::Settings minimal() {
  settings::HostFacts facts;
  facts.host_name = "h";
  facts.cpu_count = 3;
  facts.memory_bytes = 1 << 30;
  return settings::parseSettings(
             "node: {max_abnormal_ends: 7}\nstore: {socket: /s}\npolling: {task_interval: 100ms, max_interval: "
             "5s}\nscheduler: {max_tasks: 4}\n",
             "f",
             facts
  )
      .value();
}
}  // namespace

TEST_CASE("Settings reach the executor and the scheduler") {
  const auto executor = toExecutorSettings(minimal());
  CHECK(executor.exec_id == "h");
  CHECK(executor.slots == 3);
  CHECK(executor.memory_bytes == 1 << 30);
  CHECK(executor.task_check_interval == 100ms);
  CHECK(executor.subtask_check_interval == 300ms);
  CHECK(executor.max_check_interval == 5s);
  CHECK_FALSE(executor.beside_dxf);
  CHECK(executor.max_abnormal_ends == 7);
  CHECK(toSchedulerSettings(minimal()).max_abnormal_ends == 7);
  CHECK(toSchedulerSettings(minimal()).max_tasks_at_once == 4);
  auto shared = minimal();
  shared.store.schema = "mysql";
  CHECK(toExecutorSettings(shared).beside_dxf);
}

TEST_CASE("Runs are cancelled before the process is ended, however short the lease is") {
  for (const auto lease : {3s, 6s, 30s, 600s}) {
    auto settings = minimal();
    settings.node.lease = lease;
    const auto to = toLeaseSettings(settings, {}, "127.0.0.1:7", {{"t", "1"}});
    CHECK(to.renew_every < lease / 3);  // or a gap of a third would be the rule
    CHECK(to.wedged_after >= lease / 2);
    CHECK(to.wedged_after > settings.store.read_timeout);
    CHECK(to.lease - to.exit_margin > to.lease * 2 / 3);
    // A call of a run to the store that was sent just before the cancel is over, and the run may return.
    CHECK(to.lease * 2 / 3 + toExecutorSettings(settings).call_timeout <= to.lease - to.exit_margin);
    CHECK(to.exit_margin <= 2s);
    CHECK(to.address == "127.0.0.1:7");
  }
}

TEST_CASE("A hung store call ends before the process must end for the run that waits in it") {
  settings::StoreSettings store;
  REQUIRE(store.read_timeout == 10s);
  CHECK(toStoreSettings(store, {}, 30s).connect.read_timeout == 7s);
  CHECK(toStoreSettings(store, {}, 60s).connect.read_timeout == 10s);  // as asked for
  CHECK(toStoreSettings(store, {}, 3s).connect.read_timeout == 5s);    // above the wait for a row lock
  store.read_timeout = 2s;
  CHECK(toStoreSettings(store, {}, 30s).connect.read_timeout == 2s);
}

TEST_CASE("The scheduler role does not run out inside one call, however short the lease is") {
  for (const auto lease : {3s, 6s, 30s, 600s}) {
    auto settings = minimal();
    settings.node.lease = lease;
    const auto to = toSchedulerSettings(settings);
    // The renewal before it may be that old; another one is sent before two thirds of the lease are over.
    CHECK(to.renew_interval + to.call_limit <= to.lease / 2);
    CHECK(to.call_limit <= 10s);
    CHECK(to.call_limit >= 500ms);
  }
}
