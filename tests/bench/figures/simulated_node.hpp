#pragma once
#include "bench_store.hpp"
#include "node_daemon.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace disttask::bench {

/// How simulated nodes run subtasks, and what they note; shared by all of a cluster.
struct SimulatedWork {
  std::int32_t at_once = 1;    ///< subtasks of a node at the same time
  runtime::Duration length{};  ///< of one run
  std::function<void(std::int64_t task, std::int32_t step, std::int64_t at_ns)> on_started;   ///< confirmed; any thread
  std::function<void(std::int64_t task, std::int32_t step, std::int64_t at_ns)> on_finished;  ///< confirmed; any thread
  std::function<void()> on_dry;      ///< a node's queue for a step ran dry: the owner may want to know
  std::function<void()> on_planned;  ///< subtasks of a plan are in
};

/// A node without a process: a row, and what a daemon sends for it, by the product's own storage code over connections
/// of its own. It plans tasks of type `bench` as bench_task does. One thread at a time.
class SimulatedNode {
 public:
  /// Registers it; of type `bench` when `address` is given, where nudges with `nudge_token` arrive.
  SimulatedNode(
      const Places& places,
      const std::string& schema,
      const std::string& exec_id,
      std::int32_t slots,
      const std::string& address = {},
      std::int64_t nudge_token = 0
  );

  [[nodiscard]] const std::string& id() const noexcept { return node_.exec_id; }
  storage::NodePoll poll() { return store_.pollTable().poll({}, node_.exec_id); }
  void renew();
  /// Its life ends: what is pending here moves.
  void leave();

  /// Does what is due: renews, polls when it is time or `nudged`, ends runs, starts others. Returns when it wants to be
  /// called next, on monotonicNs.
  std::int64_t turn(const SimulatedWork& work, bool nudged);
  /// Forgets its runs: their rows are gone.
  void forgetRuns();

 private:
  struct Run {
    storage::RunStart start;
    std::int64_t ends_ns;
  };
  void endRuns(const SimulatedWork& work, std::int64_t now);
  void startRuns(const SimulatedWork& work);
  std::vector<storage::RunStart> pickRows(std::size_t count, std::set<std::pair<std::int64_t, std::int32_t>>& ended);
  void plan(const SimulatedWork& work);
  bool planOne(storage::Plan plan, const SimulatedWork& work);

  storage::mysql::Store store_;
  proto::Node node_;
  std::vector<Run> runs_;
  std::set<std::pair<std::int64_t, std::int32_t>> ended_;  ///< task and step of runs that ended in this turn
  std::int64_t next_renewal_ns_ = 0;
  std::int64_t next_poll_ns_ = 0;
  std::int64_t poll_pause_ns_ = 0;
  bool has_rows_ = false;
};

}  // namespace disttask::bench
