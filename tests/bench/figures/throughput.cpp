// Empty subtasks per second: one whole daemon, clients that speak DXF's protocol on DXF's indexes, and one bare writer,
// in turn on tables of the same size.
#include "daemon_run.hpp"
#include "dxf_clients.hpp"
#include "figures.hpp"
#include "floor_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace disttask::bench {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kPending = 100'000;
constexpr std::int64_t kFinished = 900'000;
constexpr std::int32_t kParallel = 16;
constexpr std::size_t kFloorWidth = 16;

/// A schema with one task; its rows belong to one node of ours, or to 16 of DXF.
class Scene {
 public:
  Scene(const Places& places, const std::string& schema, bool dxf, std::int64_t num_pending, std::int64_t num_finished)
      : store_(sqlclient::toConnectSettings(places.dsn), schema), num_pending_(num_pending) {
    if (dxf) useDxfIndexes(store_);
    task_ = store_.addTask(kParallel);
    const auto nodes = dxf ? kDxfClients : 1;
    const auto rows = (num_pending + num_finished) / nodes;
    for (std::int64_t node = 0; node < nodes; ++node) {
      store_.addSubtasks(task_, dxf ? dxfExecId(node) : kLoadNode, 1 + node * rows, rows, num_finished / nodes);
    }
    store_.connection().execute("analyze table tidb_background_subtask");
  }
  /// All rows that have run are pending again, and the server has tidied up.
  void reset() {
    store_.resetRuns(task_);
    store_.settle();
  }
  [[nodiscard]] BenchStore& store() noexcept { return store_; }
  [[nodiscard]] std::int64_t task() const noexcept { return task_; }
  [[nodiscard]] std::int64_t numPending() const noexcept { return num_pending_; }

 private:
  BenchStore store_;
  std::int64_t num_pending_;
  std::int64_t task_ = 0;
};

double measureOurs(const Places& places, Scene& scene, RunLog& log, const char* what) {
  scene.reset();
  const auto run = runDaemon(places, scene.store(), log, {scene.task()}, kParallel, scene.numPending(), seconds(3));
  FigureList::note(fmt::format(
      "  {}: {:.0f}/s in {:.1f} s; per subtask {:.3f} questions, {:.3f} updates, {:.2f} rows written, {:.3f} commits,"
      " {:.3f} fsyncs; {} rows succeeded",
      what,
      run.perSecond(),
      run.seconds,
      run.perRun("Questions"),
      run.perRun("Com_update"),
      run.perRun("Handler_update"),
      run.perRun("Handler_commit"),
      run.perRun("Innodb_data_fsyncs"),
      run.num_succeeded
  ));
  return run.perSecond();
}

/// Says how quick the disk is at the moment: when a commit takes milliseconds, it bounds all sides.
void noteCommitTime(Scene& scene) {
  scene.reset();
  const auto times =
      timeStartUpdates(scene.store(), scene.task(), kLoadNode, std::min<std::int64_t>(300, scene.numPending() / 10));
  FigureList::note(fmt::format("  one durable start UPDATE: p50 {:.0f} us", medianOf(times)));
}

double measureDxf(Scene& scene, const char* what, milliseconds length) {
  scene.reset();
  const auto before = scene.store().numInState(scene.task(), "succeed");
  const auto run = runDxfClients(scene.store(), scene.task(), length);
  const auto succeeded = scene.store().numInState(scene.task(), "succeed") - before;
  if (succeeded != run.num_finished + kDxfClients) {
    throw Exception(ErrorCode::kInternal, fmt::format("{} rows succeeded of {}", succeeded, run.num_finished));
  }
  const auto rate = static_cast<double>(run.num_finished) / run.seconds;
  FigureList::note(fmt::format("  {}: {:.1f}/s in {:.1f} s", what, rate, run.seconds));
  return rate;
}

double measureFloor(Scene& scene, milliseconds length) {
  scene.reset();
  const auto before = scene.store().counters();
  const auto run = runFloorWriter(scene.store(), scene.task(), kLoadNode, kFloorWidth, length);
  const auto after = scene.store().counters();
  const auto rate = static_cast<double>(run.num_finished) / run.seconds;
  FigureList::note(fmt::format(
      "  floor: {:.0f}/s in {:.1f} s, {} writes; {:.2f} rows written and {:.3f} fsyncs per subtask",
      rate,
      run.seconds,
      run.num_writes,
      static_cast<double>(after.at("Handler_update") - before.at("Handler_update")) /
          static_cast<double>(run.num_finished),
      static_cast<double>(after.at("Innodb_data_fsyncs") - before.at("Innodb_data_fsyncs")) /
          static_cast<double>(run.num_finished)
  ));
  return rate;
}

std::vector<double> ratiosOf(const std::vector<double>& of, const std::vector<double>& to) {
  std::vector<double> ratios(of.size());
  std::transform(of.begin(), of.end(), to.begin(), ratios.begin(), std::divides<>());
  return ratios;
}

}  // namespace

void measureThroughput(const Places& places, const Wanted& wanted, FigureList& list) {
  const bool growth = wanted.has("growth_1m");
  const bool dxf_growth = wanted.has("dxf_growth_1m");
  const bool floor = wanted.has("throughput_vs_floor");
  const bool dxf = wanted.has("throughput_vs_dxf") || dxf_growth;
  const bool ours = wanted.has("throughput_vs_dxf") || floor || growth;
  if (!ours && !dxf) return;
  FigureList::note("filling tables …");
  RunLog log(places.runLog());
  const auto pending = wanted.rows(kPending);
  const auto finished = wanted.rows(kFinished);
  std::optional<Scene> our_100k;
  std::optional<Scene> our_1m;
  std::optional<Scene> dxf_100k;
  std::optional<Scene> dxf_1m;
  if (ours) our_100k.emplace(places, "disttask_bench_a", false, pending, 0);
  if (dxf) dxf_100k.emplace(places, "disttask_bench_b", true, pending, 0);
  if (growth) our_1m.emplace(places, "disttask_bench_c", false, pending, finished);
  if (dxf_growth) dxf_1m.emplace(places, "disttask_bench_d", true, pending, finished);
  std::vector<double> ours_small;
  std::vector<double> ours_large;
  std::vector<double> dxf_small;
  std::vector<double> dxf_large;
  std::vector<double> bare;
  for (int round = 0; round < wanted.times(2, 5); ++round) {
    if (ours) noteCommitTime(*our_100k);
    if (ours) ours_small.push_back(measureOurs(places, *our_100k, log, "daemon, 100k rows"));
    if (dxf)
      dxf_small.push_back(measureDxf(*dxf_100k, "DXF's protocol and indexes, 100k rows", wanted.span(seconds(3))));
    if (floor) bare.push_back(measureFloor(*our_100k, wanted.span(seconds(3))));
    if (growth) ours_large.push_back(measureOurs(places, *our_1m, log, "daemon, 1M rows"));
    if (dxf_growth)
      dxf_large.push_back(measureDxf(*dxf_1m, "DXF's protocol and indexes, 1M rows", wanted.span(seconds(6))));
  }
  if (wanted.has("throughput_vs_dxf")) {
    list.add({"throughput_vs_dxf", "x", ">=", 5, ratiosOf(ours_small, dxf_small), {}});
  }
  if (floor) list.add({"throughput_vs_floor", "x", ">=", 0.8, ratiosOf(ours_small, bare), {}});
  if (growth) list.add({"growth_1m", "x", ">=", 0.8, ratiosOf(ours_large, ours_small), {}});
  if (dxf_growth) list.add({"dxf_growth_1m", "x", "", {}, ratiosOf(dxf_large, dxf_small), {}});
}

}  // namespace disttask::bench
