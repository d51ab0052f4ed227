#include "node_metrics.hpp"

#include "support/temp_dir.hpp"
#include <catch2/catch.hpp>

#include <regex>
#include <set>

using namespace disttask;
using namespace disttask::app;

namespace {

/// Name and type of all metrics of a page.
std::set<std::string> typesOf(const std::string& page) {
  std::set<std::string> found;
  const std::regex line("# TYPE (\\S+) (\\S+)\n");
  for (std::sregex_iterator at(page.begin(), page.end(), line), end; at != end; ++at)
    found.insert(at->str(1) + " " + at->str(2));
  return found;
}

}  // namespace

TEST_CASE("docs/metrics.md lists what /metrics serves, name by name with its type") {
  NodeMetrics metrics("1.2.3", "on");
  metrics.addType("example");
  const auto served = typesOf(metrics.page({}, {}));
  CHECK(served.size() <= 40);
  std::set<std::string> documented;
  const auto text = test::readFile(METRICS_PAGE);
  const std::regex row("\n\\| `(disttask_\\w+)` \\| (\\w+) \\|");
  for (std::sregex_iterator at(text.begin(), text.end(), row), end; at != end; ++at)
    documented.insert(at->str(1) + " " + at->str(2));
  CHECK(served == documented);
}

TEST_CASE("All series are there before anything happens, and their number does not grow") {
  NodeMetrics metrics("1.2.3", "on");
  metrics.addType("example");
  const auto lines = [&](const std::string& page) { return std::count(page.begin(), page.end(), '\n'); };
  executor::ExecutorCounters executor;
  NodeCounts counts;
  counts.executor = &executor;
  const auto before = lines(metrics.page({}, counts));
  metrics.polled(std::chrono::milliseconds(3), true);
  metrics.polled(std::chrono::seconds(3), false);
  metrics.returned("example", std::chrono::seconds(2));
  metrics.returned("nobody offers this", std::chrono::seconds(2));
  metrics.storeFailed(Error(ErrorCode::kStoreConflict, "deadlock"));
  metrics.storeFailed(Error(ErrorCode::kTimedOut, "no connection was free"));
  metrics.storeConnected();
  executor.failed = 3;
  NodeReport report;
  report.slots = 8;
  report.skew = 4;
  report.wanted = proto::WantedState::kCordoned;
  const auto page = metrics.page(report, counts);
  CHECK(lines(page) == before);
  for (const auto* line :
       {"disttask_polls_total{result=\"answered\"} 1\n",
        "disttask_polls_total{result=\"failed\"} 1\n",
        "disttask_poll_seconds_count 1\n",
        "disttask_run_seconds_count{type=\"example\"} 1\n",
        "disttask_store_errors_total{code=\"store_conflict\"} 1\n",
        "disttask_store_connects_total 1\n",
        "disttask_subtasks_ended_total{outcome=\"failed\"} 3\n",
        "disttask_slots 8\n",
        "disttask_balance_skew 4\n",
        "disttask_wanted{state=\"cordoned\"} 1\n",
        "disttask_wanted{state=\"normal\"} 0\n"}) {
    CHECK_THAT(page, Catch::Contains(line));
  }
}

TEST_CASE("disttask_build_info says who schedules: this node may, others do, or a live TiDB does") {
  settings::Settings settings;
  CHECK(NodeMetrics::schedulerOf(settings) == "on");
  settings.scheduler.enabled = false;
  CHECK(NodeMetrics::schedulerOf(settings) == "off");
  settings.store.schema = "mysql";
  CHECK(NodeMetrics::schedulerOf(settings) == "tidb");
  NodeMetrics metrics("1.2.3", "tidb");
  CHECK_THAT(metrics.page({}, {}), Catch::Contains("disttask_build_info{scheduler=\"tidb\",version=\"1.2.3\"} 1\n"));
}
