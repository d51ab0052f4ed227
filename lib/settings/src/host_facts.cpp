#include "disttask/settings/loader.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <string>

namespace disttask::settings {
namespace {

/// Calls `each` with the folder of every cgroup that this process is in and of their parents (v2, and the v1 controller
/// named).
template <typename F>
void forEachCgroup(const std::string& v1_controller, F each) {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const auto controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    std::string root;
    if (controllers == ",,") root = "/sys/fs/cgroup";
    if (controllers.find("," + v1_controller + ",") != std::string::npos) root = "/sys/fs/cgroup/" + v1_controller;
    if (root.empty()) continue;
    for (std::string path = line.substr(second + 1);; path.resize(path.rfind('/'))) {
      each(root + path);
      if (path.empty() || path.rfind('/') == std::string::npos) break;
    }
  }
}

std::int64_t readNumber(const std::string& path) {
  std::ifstream file(path);
  std::int64_t number = -1;
  return file >> number ? number : -1;
}

std::int32_t detectCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::int64_t cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
  const auto limit = [&cpus](std::int64_t quota, std::int64_t period) {
    // Half a CPU still runs one thing at a time.
    if (quota > 0 && period > 0) cpus = std::min(cpus, std::max<std::int64_t>(1, (quota + period - 1) / period));
  };
  forEachCgroup("cpu", [&](const std::string& folder) {
    std::ifstream file(folder + "/cpu.max");
    std::int64_t quota = 0;
    std::int64_t period = 0;
    if (file >> quota >> period) limit(quota, period);  // "max" is no number: no limit
    limit(readNumber(folder + "/cpu.cfs_quota_us"), readNumber(folder + "/cpu.cfs_period_us"));
  });
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(cpus, 1, 4096));
}

std::int64_t detectMemory() {
  std::int64_t bytes = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  forEachCgroup("memory", [&](const std::string& folder) {
    for (const auto* name : {"/memory.max", "/memory.limit_in_bytes"}) {
      const auto limit = readNumber(folder + name);
      if (limit > 0) bytes = std::min(bytes, limit);
    }
  });
  return bytes;
}

}  // namespace

HostFacts detectHostFacts() {
  HostFacts facts;
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) == 0) facts.host_name = name.data();
  facts.cpu_count = detectCpus();
  facts.memory_bytes = detectMemory();
  return facts;
}

}  // namespace disttask::settings
