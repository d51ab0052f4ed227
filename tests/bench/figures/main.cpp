// disttask_bench: all figures. tests/bench/run.sh says what each figure is.
#include "figures.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <map>

namespace {

using namespace disttask;

constexpr const char* kUsage =
    "usage: disttask_bench --dsn DSN --daemon DISTTASKD --plugin bench_task.so --work DIR [--server-pid PID]\n"
    "         [--quick|--smoke] [--figure NAME]… [--compare DISTTASKD] [--json FILE]\n"
    "The DSN may be the variable DISTTASK_BENCH_DSN. Extra figures, measured when named: sweep, scale, scheduler, "
    "task_5000_parallel_s, task_5000_serial_s, "
    "subtasks_per_s_parallel_N,\n"
    "subtasks_per_s_tasks_N.\n";

struct Options {
  bench::Places places;
  bench::Wanted wanted;
  std::string dsn;
  std::string json;
  std::string compare;
};

std::optional<Options> parseArguments(const std::vector<std::string>& arguments) {
  Options options;
  if (const char* dsn = std::getenv("DISTTASK_BENCH_DSN"); dsn != nullptr) options.dsn = dsn;
  const std::map<std::string, std::function<void(const std::string&)>> takers{
      {"--dsn", [&](const auto& text) { options.dsn = text; }},
      {"--daemon", [&](const auto& text) { options.places.daemon = text; }},
      {"--plugin", [&](const auto& text) { options.places.plugin = text; }},
      {"--work", [&](const auto& text) { options.places.work = text; }},
      {"--server-pid", [&](const auto& text) { options.places.server_pid = std::stoi(text); }},
      {"--figure", [&](const auto& text) { options.wanted.names.insert(text); }},
      {"--compare", [&](const auto& text) { options.compare = text; }},
      {"--json", [&](const auto& text) { options.json = text; }},
  };
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--quick" || arguments[i] == "--smoke") {
      (arguments[i] == "--quick" ? options.wanted.quick : options.wanted.smoke) = true;
      continue;
    }
    const auto taker = takers.find(arguments[i]);
    if (taker == takers.end() || i + 1 == arguments.size()) return std::nullopt;
    taker->second(arguments[++i]);
  }
  const auto& places = options.places;
  if (options.dsn.empty() || places.daemon.empty() || places.plugin.empty() || places.work.empty()) return std::nullopt;
  options.places.dsn = sqlclient::parseDsn(options.dsn);
  return options;
}

void run(const Options& options) {
  sqlclient::initializeDriver();
  bench::FigureList list;
  const auto& places = options.places;
  const auto& wanted = options.wanted;
  if (options.compare.empty()) {
    bench::measureThroughput(places, wanted, list);
    bench::measureOneSlot(places, wanted, list);
    bench::measureLatencies(places, wanted, list);
    bench::measureSmallTask(places, wanted, list);
    bench::measureIdle(places, wanted, list);
    bench::measureIdlePolls(places, wanted, list);
    if (!wanted.names.empty()) bench::measureSweep(places, wanted, list);
    bench::measureScale(places, wanted, list);
    bench::measureWholeTask(places, wanted, list);
    bench::measureScheduler(places, wanted, list);
    bench::measureFailover(places, wanted, list);
  } else {
    bench::compareThroughput(places, options.compare, wanted, list);
  }
  const auto json = list.toJson();
  if (options.json.empty()) {
    fmt::print("{}\n", json);
  } else {
    std::ofstream(options.json) << json << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto options = parseArguments({argv + 1, argv + argc});
    if (!options) {
      std::fputs(kUsage, stderr);
      return 2;
    }
    run(*options);
    return 0;
  } catch (const std::exception& e) {
    fmt::print(stderr, "disttask_bench: {}\n", e.what());
    return 1;
  }
}
