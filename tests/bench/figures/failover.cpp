// From the death (SIGKILL) or standstill (SIGSTOP) of an owner until another daemon holds the role and has acted: a
// task that was submitted meanwhile has a plan.
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
    return holds(second) && !store.store().schedulerTable().getPlans({}, task).empty();
  });
  const auto seconds = static_cast<double>(monotonicNs() - began) / 1e9;
  first.signal(SIGKILL);
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
  for (int i = 0; i < (wanted.quick ? 2 : 5); ++i) {
    killed.push_back(timeFailover(places, store, ++round, SIGKILL));
    frozen.push_back(timeFailover(places, store, ++round, SIGSTOP));
  }
  list.add({"failover_s", "s", "<=", kLease + 2, killed, {}});
  list.add({"failover_frozen_s", "s", "<=", kLease + 2, frozen, {}});
}

}  // namespace disttask::bench
