#include "project_files.hpp"

namespace disttask::ctl {
namespace {

constexpr const char* kBuild = R"text(cmake_minimum_required(VERSION 3.25)
project(@NAME@ LANGUAGES C CXX)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)

find_package(disttask REQUIRED COMPONENTS sdk)
disttask_add_plugin(NAME @NAME@ SOURCES src/plugin.cpp)

include(CTest)
if(BUILD_TESTING)
  # The work itself, without disttask.
  add_executable(@NAME@_test tests/work_test.cpp)
  target_include_directories(@NAME@_test PRIVATE src)
  add_test(NAME work COMMAND @NAME@_test)

  # The plugin as a daemon would run it, on a table in memory: no store is needed.
  find_program(DISTTASKCTL disttaskctl HINTS ${disttask_DIR}/../../../../bin ${disttask_DIR}/../../../bin REQUIRED)
  set(run ${DISTTASKCTL} plugin run $<TARGET_FILE:@NAME@> --timeout 60s)
  add_test(NAME loads COMMAND ${DISTTASKCTL} plugin check $<TARGET_FILE:@NAME@>)
  add_test(NAME runs COMMAND ${run} --meta "{\"numbers\": 10, \"per_subtask\": 4}")
  set_tests_properties(runs PROPERTIES PASS_REGULAR_EXPRESSION "succeeded")
  add_test(NAME goes_on_after_a_kill COMMAND ${run} --meta "{\"numbers\": 40, \"per_subtask\": 40, \"pause_ms\": 50}" --kill-after 700ms)
  set_tests_properties(goes_on_after_a_kill PROPERTIES PASS_REGULAR_EXPRESSION "goes on at number.*succeeded")
  add_test(NAME is_cancelled COMMAND ${run} --meta "{\"numbers\": 1000, \"pause_ms\": 50}" --cancel-after 500ms)
  set_tests_properties(is_cancelled PROPERTIES PASS_REGULAR_EXPRESSION "cancelled")
  add_test(NAME refuses_bad_meta COMMAND ${run} --meta "{\"numbers\": -1}")
  set_tests_properties(refuses_bad_meta PROPERTIES PASS_REGULAR_EXPRESSION "numbers is -1")
endif()
)text";

constexpr const char* kWork = R"text(// What the plugin does, without disttask: easy to test.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace @NAME@ {

/// What a submitter asks for: the task's meta, such as {"numbers": 100, "per_subtask": 10}.
struct Request {
  std::int64_t numbers = 100;     ///< add up the squares of 1 to this
  std::int64_t per_subtask = 10;  ///< so many of them in one subtask
  std::int64_t pause_ms = 0;      ///< after each number, so that there is something to watch
};

/// Returns the number after "key": in a JSON object, `fallback` when it is not there. A real plugin takes a JSON library.
inline std::int64_t numberOf(std::string_view json, const std::string& key, std::int64_t fallback, std::int64_t least) {
  const auto at = json.find('"' + key + '"');
  if (at == std::string_view::npos) return fallback;
  const auto colon = json.find(':', at);
  if (colon == std::string_view::npos) throw std::runtime_error("no value for " + key);
  std::int64_t number = 0;
  try {
    number = std::stoll(std::string(json.substr(colon + 1)));
  } catch (const std::exception&) {
    throw std::runtime_error(key + " is no number");
  }
  if (number < least) {
    throw std::runtime_error(key + " is " + std::to_string(number) + ", at least " + std::to_string(least) + " is needed");
  }
  return number;
}

inline Request parseRequest(std::string_view meta) {
  Request request;
  request.numbers = numberOf(meta, "numbers", request.numbers, 1);
  request.per_subtask = numberOf(meta, "per_subtask", request.per_subtask, 1);
  request.pause_ms = numberOf(meta, "pause_ms", request.pause_ms, 0);
  return request;
}

/// How far a subtask is: its checkpoint, as text "next sum".
struct Progress {
  std::int64_t next = 0;
  std::int64_t sum = 0;
};

inline std::string toText(const Progress& progress) {
  return std::to_string(progress.next) + " " + std::to_string(progress.sum);
}

inline Progress parseProgress(const std::string& text, std::int64_t first) {
  if (text.empty()) return {first, 0};
  std::size_t used = 0;
  const auto next = std::stoll(text, &used);
  return {next, std::stoll(text.substr(used))};
}

/// Adds the square of the next number.
inline void addOne(Progress& progress) {
  progress.sum += progress.next * progress.next;
  ++progress.next;
}

}  // namespace @NAME@
)text";

constexpr const char* kPlugin =
    R"text(// The task type @NAME@: adds up squares, some numbers a subtask. Put your own work in work.hpp.
#include "work.hpp"

#include <disttask_plugin.hpp>

#include <algorithm>

namespace {

namespace sdk = disttask::sdk;

struct @TYPE@Step : sdk::Step {
  explicit @TYPE@Step(@NAME@::Request wanted) : request(wanted) {}

  // The meta of a subtask is its first number. Keeps checkpoints, so that a run after a kill goes on where this one ended.
  std::string runSubtask(sdk::Run& run, const sdk::Subtask& subtask) override {
    const auto first = std::stoll(std::string(subtask.meta));
    const auto last = std::min<std::int64_t>(first + request.per_subtask - 1, request.numbers);
    auto progress = @NAME@::parseProgress(run.checkpoint(), first);
    if (progress.next > first) run.log(sdk::LogLevel::kInfo, "goes on at number " + std::to_string(progress.next));
    while (progress.next <= last) {
      run.throwIfCancelled();
      if (request.pause_ms > 0) run.sleep(request.pause_ms);  // throws when the run is cancelled
      @NAME@::addOne(progress);
      run.addProgress(1);
      if (progress.next % 5 == 0) run.putCheckpoint(@NAME@::toText(progress));
    }
    return std::to_string(progress.sum);
  }

  const @NAME@::Request request;
};

struct @TYPE@ : sdk::TaskType {
  std::string name() const override { return "@NAME@"; }
  std::string version() const override { return "1.0"; }
  void validate(std::string_view meta) override { static_cast<void>(@NAME@::parseRequest(meta)); }

  // The cursor is the first number that is not planned yet.
  sdk::Cursor plan(sdk::Planning& planning, const sdk::Task& task, int, std::string_view cursor) override {
    const auto request = @NAME@::parseRequest(task.meta);
    std::int64_t first = cursor.empty() ? 1 : std::stoll(std::string(cursor));
    for (; first <= request.numbers; first += request.per_subtask) {
      const auto meta = std::to_string(first);
      if (!planning.hasRoom(meta.size())) return {.next = meta, .complete = false};
      planning.addSubtask(meta);
    }
    return {.next = "", .complete = true};
  }
  std::unique_ptr<sdk::Step> createStep(const sdk::Host&, const sdk::Task& task, int, const sdk::Resource&) override {
    return std::make_unique<@TYPE@Step>(@NAME@::parseRequest(task.meta));
  }
  // True: a subtask whose node died runs again. False where running twice does harm.
  bool isIdempotent(const sdk::Subtask&) override { return true; }
};

}  // namespace

DISTTASK_PLUGIN("@NAME@", "1.0", @TYPE@)
)text";

constexpr const char* kTest = R"text(// The work, without disttask.
#include "work.hpp"

#include <cstdio>

namespace {

int failures = 0;

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "FAILED: %s\n", what);
  ++failures;
}

bool isRefused(const char* meta) {
  try {
    static_cast<void>(@NAME@::parseRequest(meta));
  } catch (const std::exception&) {
    return true;
  }
  return false;
}

}  // namespace

int main() {
  const auto request = @NAME@::parseRequest(R"({"numbers": 7, "per_subtask": 3})");
  check(request.numbers == 7 && request.per_subtask == 3 && request.pause_ms == 0, "a request is read");
  check(isRefused(R"({"numbers": 0})") && isRefused(R"({"numbers": "x"})"), "a bad request is refused");
  auto progress = @NAME@::parseProgress("", 1);
  for (int i = 0; i < 3; ++i) @NAME@::addOne(progress);
  check(progress.next == 4 && progress.sum == 14, "1 + 4 + 9");
  const auto again = @NAME@::parseProgress(@NAME@::toText(progress), 1);
  check(again.next == 4 && again.sum == 14, "a checkpoint is read as it was written");
  return failures == 0 ? 0 : 1;
}
)text";

constexpr const char* kReadme = R"text(# @NAME@

A task type for disttask: adds up squares, some numbers a subtask. Replace `src/work.hpp` by your own work.

```sh
cmake -S . -B build            # -DCMAKE_PREFIX_PATH=PREFIX where disttask is not installed below /usr
cmake --build build
ctest --test-dir build         # needs no store
```

- `src/work.hpp`: the work, without disttask. `tests/work_test.cpp` tests it.
- `src/plugin.cpp`: the task type: `validate`, `plan`, `runSubtask`, with a checkpoint.
- `CMakeLists.txt`: the other tests run the plugin as a daemon would: to its end, killed on the way, cancelled, with a bad meta.

Try it by hand, then give it to a node:

```sh
disttaskctl plugin run build/@NAME@.so --meta '{"numbers": 100, "pause_ms": 20}' --kill-after 1s
sudo install -m 0755 build/@NAME@.so /usr/local/lib/disttask/plugins/      # plugins.dir of the daemon's settings; then restart it
disttaskctl task submit --type @NAME@ --meta '{"numbers": 100}' --wait
```
)text";

std::string fill(std::string text, const std::string& key, const std::string& value) {
  for (auto at = text.find(key); at != std::string::npos; at = text.find(key, at + value.size()))
    text.replace(at, key.size(), value);
  return text;
}

/// "add_up" → "AddUp".
std::string typeName(const std::string& name) {
  std::string type;
  bool is_first = true;
  for (const char c : name) {
    if (c == '_') {
      is_first = true;
      continue;
    }
    type.push_back(is_first && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
    is_first = false;
  }
  return type;
}

}  // namespace

std::vector<ProjectFile> projectFiles(const std::string& name) {
  std::vector<ProjectFile> files{
      {"CMakeLists.txt", kBuild},
      {"README.md", kReadme},
      {"src/plugin.cpp", kPlugin},
      {"src/work.hpp", kWork},
      {"tests/work_test.cpp", kTest},
  };
  for (auto& file : files) file.text = fill(fill(file.text, "@NAME@", name), "@TYPE@", typeName(name));
  return files;
}

}  // namespace disttask::ctl
