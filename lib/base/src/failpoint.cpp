#include "disttask/base/failpoint.hpp"

#include "disttask/base/error.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>

namespace disttask {

namespace {

using Action = std::function<void()>;

struct Table {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Action>, std::less<>> actions;
  std::atomic<std::size_t> num_armed{0};  // lets pass() return without the lock in the usual case
  std::once_flag environment_read;
};

Table& table() {
  static Table instance;
  return instance;
}

Exception badItem(std::string_view item, std::string_view expected) {
  return Exception(
      ErrorCode::kInvalidArgument,
      "failpoint item: expected " + std::string(expected) + ", found '" + std::string(item) + "'"
  );
}

// Creates the file and waits until somebody removes it. Polling is enough here: only tests come this way.
void touchAndWait(const std::string& path) {
  const int file = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) throw Exception(ErrorCode::kInternal, "a failpoint cannot create its file: " + path);
  ::close(file);
  while (::access(path.c_str(), F_OK) == 0) ::poll(nullptr, 0, 5);
}

Action parseAction(std::string_view item, const std::string& name, std::string_view text) {
  if (text == "exit") return [] { ::kill(::getpid(), SIGKILL); };
  if (text == "stop") return [] { ::kill(::getpid(), SIGSTOP); };
  if (text == "throw") {
    return [name] { throw Exception(Error(ErrorCode::kInternal, Reaction::kRetry, "failpoint " + name)); };
  }
  constexpr std::string_view kTouch = "touch:";
  if (text.starts_with(kTouch) && text.size() > kTouch.size()) {
    return [path = std::string(text.substr(kTouch.size()))] { touchAndWait(path); };
  }
  throw badItem(item, "an action exit, stop, throw or touch:PATH");
}

void armItem(std::string_view item) {
  const auto equals = item.find('=');
  if (equals == std::string_view::npos || equals == 0) throw badItem(item, "name=action");
  const std::string name(item.substr(0, equals));
  auto text = item.substr(equals + 1);
  std::uint64_t nth = 0;
  if (const auto star = text.find('*'); star != std::string_view::npos && text.find(':') > star) {
    const auto* end = text.data() + star;
    const auto [stop, failure] = std::from_chars(text.data(), end, nth);
    if (failure != std::errc() || stop != end || nth == 0) throw badItem(item, "a pass number from 1 before '*'");
    text.remove_prefix(star + 1);
  }
  auto action = parseAction(item, name, text);
  if (nth == 0) return Failpoints::arm(name, std::move(action));
  auto passes = std::make_shared<std::atomic<std::uint64_t>>(0);
  Failpoints::arm(name, [passes, nth, action = std::move(action)] {
    if (passes->fetch_add(1) + 1 == nth) action();
  });
}

// A test that arms a name by a typo must not pass silently: the process ends at its first failpoint.
void readEnvironment() {
  const char* text = std::getenv("DISTTASK_FAILPOINTS");
  if (text == nullptr) return;
  try {
    Failpoints::armFromText(text);
  } catch (const Exception& e) {
    const std::string line = std::string("DISTTASK_FAILPOINTS: ") + e.what() + "\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
    std::abort();
  }
}

}  // namespace

void Failpoints::arm(std::string name, std::function<void()> action) {
  auto& failpoints = table();
  const std::lock_guard lock(failpoints.mutex);
  failpoints.actions.insert_or_assign(std::move(name), std::make_shared<Action>(std::move(action)));
  failpoints.num_armed = failpoints.actions.size();
}

void Failpoints::disarm(std::string_view name) {
  auto& failpoints = table();
  const std::lock_guard lock(failpoints.mutex);
  if (const auto it = failpoints.actions.find(name); it != failpoints.actions.end()) failpoints.actions.erase(it);
  failpoints.num_armed = failpoints.actions.size();
}

void Failpoints::disarmAll() {
  auto& failpoints = table();
  const std::lock_guard lock(failpoints.mutex);
  failpoints.actions.clear();
  failpoints.num_armed = 0;
}

void Failpoints::armFromText(std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find(';');
    if (const auto item = text.substr(0, end); !item.empty()) armItem(item);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
}

void Failpoints::pass(std::string_view name) {
  auto& failpoints = table();
  std::call_once(failpoints.environment_read, readEnvironment);
  if (failpoints.num_armed == 0) return;
  std::shared_ptr<Action> action;
  {
    const std::lock_guard lock(failpoints.mutex);
    if (const auto it = failpoints.actions.find(name); it != failpoints.actions.end()) action = it->second;
  }
  if (action) (*action)();  // outside the lock: it may block or throw
}

}  // namespace disttask
