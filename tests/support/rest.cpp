#include "support/rest.hpp"

#include <dirent.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>

namespace disttask::test {

namespace {

/// Returns the state letter of a thread, or 'X' when it has ended.
char stateOf(const std::string& folder) {
  std::ifstream file(folder + "/stat");
  std::string line;
  std::getline(file, line);
  const auto name_end = line.rfind(") ");
  return name_end == std::string::npos || name_end + 2 >= line.size() ? 'X' : line[name_end + 2];
}

/// Returns how often the kernel put a thread on a core; 0 where the kernel does not count.
std::uint64_t timesOnCore(const std::string& folder) {
  std::ifstream file(folder + "/schedstat");
  std::uint64_t run = 0;
  std::uint64_t waited = 0;
  std::uint64_t times = 0;
  file >> run >> waited >> times;
  return times;
}

/// Looks at all threads but the caller's: a sum of how often each was on a core, or nothing when one could run.
std::optional<std::uint64_t> sumAtRest() {
  const std::string root = "/proc/self/task/";
  auto* const folder = ::opendir(root.c_str());
  if (folder == nullptr) return std::nullopt;
  const auto self = ::gettid();
  bool resting = true;
  std::uint64_t sum = 0;
  for (const auto* entry = ::readdir(folder); entry != nullptr && resting; entry = ::readdir(folder)) {
    const auto id = std::strtol(entry->d_name, nullptr, 10);
    if (id <= 0 || id == self) continue;
    const auto state = stateOf(root + entry->d_name);
    if (state == 'X' || state == 'Z') continue;
    resting = state != 'R' && state != 'D';  // running or about to; waiting for a page or a disk
    sum += (timesOnCore(root + entry->d_name) + 1) * static_cast<std::uint64_t>(id);
  }
  ::closedir(folder);
  return resting ? std::optional(sum) : std::nullopt;
}

}  // namespace

bool comeToRest(runtime::Duration limit) {
  if (::gettid() != ::getpid()) return false;
  const runtime::Deadline deadline(runtime::systemClock(), limit);
  runtime::Wakeup pause(runtime::systemClock());
  // One look goes from thread to thread, while a thread that it saw asleep may be woken by one that it did not see yet;
  // when the next look finds the same sum, no thread ran between the two.
  std::optional<std::uint64_t> before;
  for (;;) {
    const auto sum = sumAtRest();
    if (sum && sum == before) return true;
    if (deadline.isReached()) return false;
    before = sum;
    if (!sum) pause.waitFor({}, std::chrono::microseconds(100));
  }
}

}  // namespace disttask::test
