// The scheduler role at work: a real daemon owns it and plans; 200 nodes are rows and timers of this process. So the
// owner's CPU, memory and statements are those of a process and a user of the server of their own.
#include "disttask/runtime/timers.hpp"
#include "figures.hpp"
#include "simulated_cluster.hpp"

#include <fmt/format.h>

#include <fstream>

namespace disttask::bench {

namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::int32_t kTasks = 100;
constexpr std::int64_t kRows = 100'000;
constexpr std::int32_t kSlots = 128;  // so that the slots of a node admit all tasks at once
constexpr const char* kOwnerUser = "disttask_bench_owner";

double secondsSince(std::int64_t began_ns) {
  return static_cast<double>(monotonicNs() - began_ns) / 1e9;
}

/// A line of /proc/PID/status in MiB.
double memoryOf(pid_t pid, const std::string& name) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  std::string word;
  while (status >> word) {
    double kib = 0;
    if (word == name + ":" && status >> kib) return kib / 1024;
  }
  throw Exception(ErrorCode::kNotFound, name + " of the daemon cannot be read");
}

/// The schema, an owner with a user of its own, and the simulated nodes.
class Stage {
 public:
  Stage(const Places& places, std::size_t num_nodes)
      : places_(places), store_(sqlclient::toConnectSettings(places.dsn), "disttask_bench_sched") {
    auto& sql = store_.connection();
    sql.execute("set global userstat=1");
    sql.execute(fmt::format("create or replace user {}@localhost", kOwnerUser));
    sql.execute(fmt::format("grant all on *.* to {}@localhost", kOwnerUser));
    auto as_owner = places;
    as_owner.dsn.user = kOwnerUser;
    as_owner.dsn.password.reset();
    NodeSetup setup{"a-owner", kSlots, true};  // the first by name plans first
    setup.max_tasks = kTasks;
    owner_ = std::make_unique<NodeDaemon>(as_owner, store_, setup);
    awaitUntil(seconds(60), "an owner", [&] {
      return store_.store().schedulerTable().getOwner({}).exec_id == owner_->id();
    });
    nodes_ = std::make_unique<SimulatedCluster>(places, store_, num_nodes, kSlots);
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage() {
    nodes_.reset();
    owner_.reset();
    try {
      store_.connection().execute(fmt::format("drop user {}@localhost", kOwnerUser));
    } catch (const std::exception&) {
      return;  // the server is gone, and the user with it
    }
  }

  [[nodiscard]] BenchStore& store() noexcept { return store_; }
  [[nodiscard]] SimulatedCluster& nodes() noexcept { return *nodes_; }
  [[nodiscard]] const NodeDaemon& owner() const noexcept { return *owner_; }

  std::int64_t submit(const std::string& steps) {
    storage::TaskRequest request;
    request.key = fmt::format("sched-{}", ++num_tasks_);
    request.type = "bench";
    request.meta = "{\"steps\": [" + steps + "]}";
    return store_.store().clientTable().submitTask({}, request).id.value();
  }
  std::int64_t number(const std::string& query) {
    auto rows = store_.connection().queryDynamic("bench.number", query, {});
    return rows.next() ? rows.getInt(1) : 0;
  }
  bool isPlanned(std::int64_t task, std::int32_t step) {
    return number(fmt::format("select complete from disttask_plan where task_id={} and step={}", task, step)) == 1;
  }
  /// All tasks and rows are gone, for the nodes too.
  void clear() {
    nodes_->setWork(0, {});
    nodes_->forgetRuns();
    store_.clear();
    pause(seconds(1));
  }
  [[nodiscard]] pid_t serverPid() const noexcept { return places_.server_pid; }

 private:
  const Places places_;
  BenchStore store_;
  std::unique_ptr<NodeDaemon> owner_;
  std::unique_ptr<SimulatedCluster> nodes_;
  std::int64_t num_tasks_ = 0;
};

/// From submit until all rows of a step are in; the nodes hold what they start meanwhile.
void measurePlan(Stage& stage, const Wanted& wanted, FigureList& list) {
  for (const std::int64_t rows : {wanted.rows(kRows) / 10, wanted.rows(kRows)}) {
    std::vector<double> all_in;
    std::vector<double> first;
    std::vector<double> growth;
    for (int round = 0; round < wanted.times(2, 5); ++round) {
      stage.nodes().setWork(1, minutes(60));
      const auto pid = stage.owner().pid();
      std::ofstream(fmt::format("/proc/{}/clear_refs", pid)) << "5";  // the peak counts from here
      const auto before = memoryOf(pid, "VmRSS");
      const auto began = monotonicNs();
      const auto task = stage.submit(std::to_string(rows));
      stage.nodes().nudgeOwner();
      awaitUntil(minutes(5), "a plan to be complete", [&] {
        pause(milliseconds(5));
        return stage.isPlanned(task, 1);
      });
      all_in.push_back(secondsSince(began));
      awaitUntil(seconds(30), "a first start", [&] { return stage.nodes().firstStart(task, 1) != 0; });
      first.push_back(static_cast<double>(stage.nodes().firstStart(task, 1) - began) / 1e9);
      growth.push_back(memoryOf(pid, "VmHWM") - before);
      const auto in_table = stage.number("select count(*) from tidb_background_subtask");
      if (in_table != rows) throw Exception(ErrorCode::kInternal, fmt::format("{} rows of {} planned", in_table, rows));
      stage.clear();
    }
    const auto size = rows == wanted.rows(kRows) ? "100k" : "10k";
    list.add({fmt::format("plan_{}_s", size), "s", "", {}, all_in, {}});
    list.add({fmt::format("plan_{}_first_start_s", size), "s", "", {}, first, {}});
    list.add({fmt::format("plan_{}_rss_mib", size), "MiB", "", {}, growth, {}});
  }
}

/// From the last end of a step until the first start of the next, both confirmed at the nodes.
void measureStepSwitch(Stage& stage, const Wanted& wanted, FigureList& list) {
  const int steps = wanted.times(6, 21);
  std::string meta = "200";
  for (int i = 1; i < steps; ++i) meta += ", 200";
  std::vector<double> samples;
  stage.nodes().setWork(2, milliseconds(20));
  const auto task = stage.submit(meta);
  stage.nodes().nudgeOwner();
  for (int step = 1; step < steps; ++step) {
    awaitUntil(seconds(60), "the next step", [&] { return stage.nodes().firstStart(task, step + 1) != 0; });
    samples.push_back(
        static_cast<double>(stage.nodes().firstStart(task, step + 1) - stage.nodes().lastEnd(task, step)) / 1e6
    );
  }
  list.add({"step_switch_p50_ms", "ms", "<=", 50, samples, percentileOf(samples, 0.5)});
  list.add({"step_switch_p90_ms", "ms", "", {}, samples, percentileOf(samples, 0.9)});
  stage.clear();
}

/// What the owner's sessions and the two processes do, window by window.
void measureWindows(Stage& stage, const Wanted& wanted, const std::string& name, FigureList& list) {
  const std::string user = fmt::format("from information_schema.user_statistics where user='{}'", kOwnerUser);
  const auto statements = [&] {
    return stage.number("select cast(sum(select_commands + update_commands + other_commands) as signed) " + user);
  };
  std::vector<double> queries;
  std::vector<double> owner;
  std::vector<double> server;
  const auto started = stage.nodes().numStarted();
  const auto first = monotonicNs();
  for (int round = 0; round < wanted.times(2, 5); ++round) {
    const auto asked = statements();
    const auto owner_cpu = cpuSecondsOf(stage.owner().pid());
    const auto server_cpu = stage.serverPid() == 0 ? 0 : cpuSecondsOf(stage.serverPid());
    const auto began = monotonicNs();
    pause(wanted.span(seconds(5)));
    const auto length = secondsSince(began);
    owner.push_back(100 * (cpuSecondsOf(stage.owner().pid()) - owner_cpu) / length);
    if (stage.serverPid() != 0) server.push_back(100 * (cpuSecondsOf(stage.serverPid()) - server_cpu) / length);
    queries.push_back(static_cast<double>(statements() - asked) / length);
  }
  FigureList::note(fmt::format(
      "  {}: {:.0f} subtasks/s", name, static_cast<double>(stage.nodes().numStarted() - started) / secondsSince(first)
  ));
  list.add({"owner_queries_" + name, "queries/s", "", {}, queries, {}});
  list.add({"owner_cpu_" + name + "_percent", "% of a core", "", {}, owner, {}});
  if (!server.empty()) list.add({"store_cpu_" + name + "_percent", "% of a core", "", {}, server, {}});
}

/// 100 tasks of 1,000 subtasks of 2 s each, one at a time on each node.
void beginTasks(Stage& stage, std::int64_t num_rows) {
  stage.nodes().setWork(1, seconds(2));
  std::vector<std::int64_t> tasks;
  for (int i = 0; i < kTasks; ++i) tasks.push_back(stage.submit(std::to_string(num_rows / kTasks)));
  stage.nodes().nudgeOwner();
  const auto began = monotonicNs();
  awaitUntil(minutes(3), "all tasks to be planned", [&] {
    pause(milliseconds(50));
    return stage.number("select count(*) from disttask_plan where step=1 and complete=1") == kTasks;
  });
  FigureList::note(
      fmt::format("  {} tasks of {} subtasks planned in {:.1f} s", kTasks, num_rows / kTasks, secondsSince(began))
  );
}

/// A node registers while the others have plenty: until its first start.
void measureJoin(Stage& stage, const Wanted& wanted, FigureList& list) {
  std::vector<double> samples;
  for (int round = 0; round < wanted.times(3, 10); ++round) {
    const auto joined = stage.nodes().join();
    awaitUntil(seconds(60), "a start at the node that joined", [&] { return stage.nodes().firstStartOfLast() != 0; });
    samples.push_back(static_cast<double>(stage.nodes().firstStartOfLast() - joined) / 1e9);
    stage.nodes().leaveLast();
    pause(milliseconds(1500 + 100 * round));  // another phase of the owner's rounds
  }
  list.add({"join_to_first_start_s", "s", "<=", 2, samples, {}});
}

/// Submit to succeed of a small task, seen by its state; ms.
double timeSmallTask(Stage& stage) {
  const auto began = monotonicNs();
  const auto task = stage.submit("10, 1");
  stage.nodes().nudgeOwner();
  awaitUntil(seconds(60), "a small task to succeed", [&] {
    return stage.number(fmt::format("select count(*) from tidb_global_task where id={} and state='succeed'", task)) ==
           1;
  });
  return static_cast<double>(monotonicNs() - began) / 1e6;
}

/// Small tasks without, and beside, the move of a task of 100,000 rows to history.
void measureHistory(Stage& stage, const Wanted& wanted, FigureList& list) {
  stage.nodes().setWork(2, {});
  std::vector<double> alone;
  std::vector<double> beside;
  const int rounds = wanted.times(8, 20);
  for (int i = 0; i < rounds + 1; ++i) {
    const auto ms = timeSmallTask(stage);
    if (i > 0) alone.push_back(ms);  // the first warms up
  }
  auto& store = stage.store();
  const auto huge = store.addTask();
  const auto num_rows = wanted.rows(kRows);
  store.addSubtasks(huge, "a-owner", 1, num_rows, num_rows);
  store.connection().updateDynamic(
      "bench.end_task",
      "update tidb_global_task set state='succeed', end_time=now() - interval 11 minute where id=?",
      sqlclient::Values{huge}
  );
  const auto left = [&] {
    return stage.number(fmt::format("select exists(select 1 from tidb_global_task where id={})", huge)) == 1;
  };
  const auto moved_some = [&] {
    return stage.number("select exists(select 1 from tidb_background_subtask_history)") == 1;
  };
  awaitUntil(seconds(90), "the move to history to begin", moved_some);
  const auto began = monotonicNs();
  do {
    beside.push_back(timeSmallTask(stage));
  } while (left());
  if (beside.size() > 1) beside.pop_back();  // the move ended in it
  FigureList::note(fmt::format("  history: {} rows moved in {:.1f} s", num_rows, secondsSince(began)));
  list.add({"history_latency_alone_p50_ms", "ms", "", {}, alone, {}});
  list.add({"history_latency_beside_p50_ms", "ms", "", {}, beside, {}});
  list.add({"history_latency_beside_p99_ms", "ms", "", {}, beside, percentileOf(beside, 0.99)});
  list.add({"history_latency_ratio", "x", "", {}, {medianOf(beside) / medianOf(alone)}, {}});
  stage.clear();
}

}  // namespace

void measureScheduler(const Places& places, const Wanted& wanted, FigureList& list) {
  const auto has = [&](const std::string& part) { return wanted.hasExtra("scheduler") || wanted.hasExtra(part); };
  const bool thousand = wanted.hasExtra("scheduler_1000");
  const bool any = has("scheduler_plan") || has("scheduler_load") || has("scheduler_history") || thousand;
  if (!any) return;
  Stage stage(places, static_cast<std::size_t>(wanted.nodes(thousand ? 1000 : 200)));
  if (has("scheduler_load") || thousand) {
    pause(wanted.span(seconds(10)));
    measureWindows(stage, wanted, "idle", list);
    beginTasks(stage, wanted.rows(kRows));
    measureWindows(stage, wanted, "busy", list);
    measureJoin(stage, wanted, list);
    stage.clear();
  }
  if (has("scheduler_plan")) measurePlan(stage, wanted, list);
  if (has("scheduler_plan") || thousand) measureStepSwitch(stage, wanted, list);
  if (has("scheduler_history")) measureHistory(stage, wanted, list);
  if (stage.nodes().numErrors() > 0) {
    FigureList::note(fmt::format("  turns of simulated nodes that failed: {}", stage.nodes().numErrors()));
  }
}

}  // namespace disttask::bench
