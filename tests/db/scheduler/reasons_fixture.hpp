#pragma once
#include "disttask/reasons/reasons.hpp"
#include "live_roles.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace disttask::test {

/// A store with node `a` (4 slots), a role holder `a` whose lease is fresh, and a task of 2 slots.
class Waiting : public SchedulerFixture {
 public:
  Waiting() {
    addNode("a");
    life = takeRole("a");
  }
  std::vector<reasons::Reason> why(proto::TaskId id) { return reasons::whyTask(sources(), call(), task(id)).reasons; }
  /// Returns the reason with this code; fails without it.
  reasons::Reason find(proto::TaskId id, reasons::Code code) { return pick(why(id), code); }
  std::vector<reasons::Reason> whySubtask(proto::TaskId id, std::int64_t subtask) {
    return reasons::whySubtask(sources(), call(), task(id), proto::SubtaskId(subtask)).reasons;
  }
  reasons::Reason findOfSubtask(proto::TaskId id, std::int64_t subtask, reasons::Code code) {
    return pick(whySubtask(id, subtask), code);
  }
  reasons::Sources sources() { return {nodes(), scheduler(), store()->reasonTable()}; }
  static reasons::Reason pick(const std::vector<reasons::Reason>& all, reasons::Code code) {
    std::string codes;
    for (const auto& reason : all) codes += std::string(toString(reason.code)) + ": " + reason.text + "\n";
    INFO(codes);
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& reason) { return reason.code == code; });
    REQUIRE(found != all.end());
    return *found;
  }
  void set(const std::string& node, const std::string& what) {
    store().execute("update disttask_node set " + what + " where exec_id='" + node + "'");
  }
  /// A task that runs in step 1, whose plan is complete.
  proto::Task addRunning(const std::string& key) {
    auto running = addTask(key, "running", 1);
    store().execute(
        "insert into disttask_plan (task_id, kind, after_step, step, planner, token, `cursor`, next_ordinal, complete, "
        "failed, retries) values (" +
        std::to_string(running.id.value()) + ", 'step', -1, 1, 'a', 4, '', 9, 1, 0, 0)"
    );
    return running;
  }
  /// Notes what came of a subtask's tries: retries, abnormal ends, not before (ms), last error, handed back by.
  void note(proto::TaskId task, std::int64_t subtask, const std::string& columns) {
    store().execute(
        "insert into disttask_attempt (subtask_id, task_id, retries, abnormal_ends, not_before, last_error, "
        "handed_back) values (" +
        std::to_string(subtask) + ", " + std::to_string(task.value()) + ", " + columns + ")"
    );
  }
  std::string inTask(proto::TaskId id) { return " where id=" + std::to_string(id.value()); }

  proto::Life life;
};

}  // namespace disttask::test
