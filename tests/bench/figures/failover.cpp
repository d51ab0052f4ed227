// From the death (SIGKILL), standstill (SIGSTOP) or stop (SIGTERM) of an owner until another daemon holds the role;
// after the first two it has acted as well: a task that was submitted meanwhile has a plan, at a node that lives.
#include "figures.hpp"

#include <fmt/format.h>

#include <csignal>

namespace disttask::bench {

namespace {

constexpr std::int32_t kLease = 6;

double timeFailover(const Places& places, BenchStore& store, int round, int end_signal) {
  NodeSetup setup;
  setup.scheduler = true;
  setup.lease_s = kLease;
  setup.id = fmt::format("fail-{}-a", round);
  NodeDaemon first(places, store, setup);
  const auto holds = [&](const NodeDaemon& node) {
    return store.store().schedulerTable().getOwner({}).exec_id == node.id();
  };
  awaitUntil(std::chrono::seconds(60), "an owner", [&] { return holds(first); });
  setup.id = fmt::format("fail-{}-b", round);
  NodeDaemon second(places, store, setup);
  pause(std::chrono::milliseconds(2000 + 700 * (round % 5)));  // another phase of its renewals
  const auto began = monotonicNs();
  first.signal(end_signal);
  storage::TaskRequest request;
  request.key = fmt::format("failover-{}", round);
  request.type = "bench";
  request.meta = R"({"steps": [1]})";
  const auto task = store.store().clientTable().submitTask({}, request).id;
  awaitUntil(std::chrono::seconds(60), "the next owner to plan", [&] {
    if (!holds(second)) return false;
    const auto plans = store.store().schedulerTable().getPlans({}, task);
    return !plans.empty() && plans.front().planner == second.id();
  });
  const auto seconds = static_cast<double>(monotonicNs() - began) / 1e9;
  first.signal(SIGKILL);
  // What is left of one try would take the slots of the next.
  awaitUntil(std::chrono::seconds(60), "the task to end", [&] {
    const auto found = store.store().clientTable().findTask({}, task);
    return found && proto::isDone(found->state);
  });
  second.stop();
  return seconds;
}

/// From SIGTERM until another one has the role.
double timeHandOver(const Places& places, BenchStore& store, int round) {
  NodeSetup setup;
  setup.scheduler = true;
  setup.lease_s = kLease;
  setup.id = fmt::format("hand-{}-a", round);
  NodeDaemon first(places, store, setup);
  const auto holder = [&] { return store.store().schedulerTable().getOwner({}); };
  awaitUntil(std::chrono::seconds(60), "an owner", [&] { return holder().exec_id == first.id(); });
  setup.id = fmt::format("hand-{}-b", round);
  NodeDaemon second(places, store, setup);
  pause(std::chrono::milliseconds(2000 + 300 * (round % 5)));
  const auto began = monotonicNs();
  first.signal(SIGTERM);
  awaitUntil(std::chrono::seconds(60), "the next owner", [&] {
    const auto owner = holder();
    return owner.exec_id == second.id() && owner.life != proto::Life();
  });
  const auto seconds = static_cast<double>(monotonicNs() - began) / 1e9;
  second.stop();
  return seconds;
}

}  // namespace

void measureFailover(const Places& places, const Wanted& wanted, FigureList& list) {
  if (!wanted.hasExtra("scheduler") && !wanted.hasExtra("scheduler_failover")) return;
  BenchStore store(sqlclient::toConnectSettings(places.dsn), "disttask_bench_fail");
  std::vector<double> killed;
  std::vector<double> frozen;
  int round = 0;
  for (int i = 0; i < wanted.times(2, 5); ++i) {
    killed.push_back(timeFailover(places, store, ++round, SIGKILL));
    frozen.push_back(timeFailover(places, store, ++round, SIGSTOP));
  }
  std::vector<double> handed_over;
  for (int i = 0; i < wanted.times(2, 10); ++i) handed_over.push_back(timeHandOver(places, store, i));
  list.add({"handover_s", "s", "<=", 1, handed_over, {}});
  list.add({"failover_s", "s", "<=", kLease + 2, killed, {}});
  list.add({"failover_frozen_s", "s", "<=", kLease + 2, frozen, {}});
}

}  // namespace disttask::bench
