// The task type `chaos` of tests/fault: it works for a while, may fail, ask for a retry or kill its process, and notes
// the start and the end of each run in a file that no fault of the store touches. Members of the task meta (JSON):
//   subtasks, steps            how many in the first step; each later step gets one subtask for each result before it
//   sleep_ms, jitter_ms        how long each run works: sleep_ms + (ordinal * 7919 mod jitter_ms)
//   plan_ms                    how long each batch of the plan takes
//   idempotent                 may a subtask run again after its node died?
//   checkpoints                keeps a checkpoint every so many milliseconds (0: never)
//   fail_at, kill_at, retry_at the ordinal of the subtask of step 1 that fails, that kills its process in its first
//                              `times` runs, or that asks for a retry as often
// A result names the run that made it: {"token":…,"step":…,"ordinal":…,"input":the result that it was made from}.
#include "disttask/base/json.hpp"
#include "disttask_plugin.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <string>

namespace {

using disttask::Json;
namespace sdk = disttask::sdk;

std::int64_t numberOf(const Json& object, std::string_view key, std::int64_t fallback) {
  const Json* value = object.find(key);
  return value == nullptr ? fallback : value->asInt();
}

/// CLOCK_BOOTTIME in nanoseconds, asked of the kernel itself: the library that steps this process' clock sees libc's
/// calls only.
std::int64_t kernelTime() {
  ::timespec at{};
  ::syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &at);
  return std::int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec;
}

/// Appends to a file; each call is one write, so that lines of several threads and lives stay whole.
class Notes {
 public:
  void open(const std::string& path) {
    file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file_ < 0) throw sdk::Failure("cannot write " + path);
  }
  void add(const std::string& line) const {
    if (::write(file_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::abort();
  }

 private:
  int file_ = -1;
};

class ChaosStep final : public sdk::Step {
 public:
  ChaosStep(const Notes& notes, std::string folder) : notes_(notes), folder_(std::move(folder)) {}

  std::string runSubtask(sdk::Run& run, const sdk::Subtask& subtask) override {
    const auto token = run.runToken();
    note("start", token, subtask, "");
    try {
      const Json meta = Json::parse(subtask.meta);
      makeTrouble(meta, subtask);
      work(run, meta);
      Json result;
      result["token"] = token;
      result["step"] = std::int64_t{subtask.step};
      result["ordinal"] = std::int64_t{subtask.ordinal};
      if (const Json* input = meta.find("input")) result["input"] = *input;
      note("end", token, subtask, "ok");
      return result.dump();
    } catch (const sdk::Cancelled&) {
      note("end", token, subtask, "cancelled:" + std::to_string(run.cancelCause()));
      throw;
    } catch (const sdk::RetryLater&) {
      note("end", token, subtask, "retry");
      throw;
    } catch (...) {
      note("end", token, subtask, "failed");
      throw;
    }
  }

 private:
  void note(std::string_view what, std::int64_t token, const sdk::Subtask& subtask, const std::string& outcome) const {
    Json line;
    line["what"] = what;
    line["at"] = kernelTime();
    line["pid"] = std::int64_t{::getpid()};
    line["task"] = subtask.task_id;
    line["subtask"] = subtask.id;
    line["step"] = std::int64_t{subtask.step};
    line["ordinal"] = std::int64_t{subtask.ordinal};
    line["token"] = token;
    if (!outcome.empty()) line["outcome"] = outcome;
    notes_.add(line.dump() + "\n");
  }

  /// Counts in a file how often this subtask made trouble; returns true while it was less than `times`.
  [[nodiscard]] bool isDue(const sdk::Subtask& subtask, std::int64_t times) const {
    const auto path = folder_ + "/trouble-" + std::to_string(subtask.id);
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0) throw sdk::Failure("cannot write " + path);
    const bool due = ::lseek(file, 0, SEEK_END) < times;
    if (due && ::write(file, "x", 1) != 1) std::abort();
    ::close(file);
    return due;
  }

  void makeTrouble(const Json& meta, const sdk::Subtask& subtask) const {
    const Json* trouble = meta.find("trouble");
    if (trouble == nullptr) return;
    const auto& kind = trouble->asString();
    if (kind == "fail") throw sdk::Failure("this subtask was told to fail");
    if (!isDue(subtask, numberOf(meta, "times", 1))) return;
    if (kind == "retry") throw sdk::RetryLater("this subtask was told to ask for a retry");
    if (kind == "kill") ::kill(::getpid(), SIGKILL);
  }

  static void work(const sdk::Run& run, const Json& meta) {
    const auto total = numberOf(meta, "work_ms", 0);
    const auto every = numberOf(meta, "checkpoints", 0);
    for (std::int64_t done = 0; done < total;) {
      const auto slice = std::min(every > 0 ? every : total, total - done);
      run.sleep(slice);  // throws when the run is cancelled
      done += slice;
      run.addProgress(1);
      if (every > 0) run.putCheckpoint("{\"done\":" + std::to_string(done) + "}");
    }
  }

  const Notes& notes_;
  const std::string folder_;
};

class ChaosType final : public sdk::TaskType {
 public:
  [[nodiscard]] std::string name() const override { return "chaos"; }
  [[nodiscard]] std::string version() const override { return "1"; }
  [[nodiscard]] std::int32_t maxParallelSubtasks() const override { return 0; }
  [[nodiscard]] std::int64_t backoffBaseMs() const override { return 200; }
  [[nodiscard]] std::int64_t backoffCapMs() const override { return 1000; }

  void configure(const sdk::Host&, std::string_view config) override {
    const Json settings = Json::parse(config);
    const Json* folder = settings.find("audit_dir");
    const Json* node = settings.find("node");
    if (folder == nullptr || node == nullptr) throw sdk::Failure("plugins.config.chaos needs audit_dir and node");
    folder_ = folder->asString();
    notes_.open(folder_ + "/runs-" + node->asString());
  }

  std::int32_t nextStep(const sdk::Host&, const sdk::Task& task, std::int32_t after) override {
    const std::int32_t next = after == sdk::kStepInit ? 1 : after + 1;
    return next <= numberOf(Json::parse(task.meta), "steps", 1) ? next : sdk::kStepDone;
  }

  /// The cursor is the number of subtasks that are planned already: the same cursor gives the same subtasks. Batches
  /// are small, so that faults meet planning between two of them.
  sdk::Cursor plan(sdk::Planning& planning, const sdk::Task& task, std::int32_t step, std::string_view cursor)
      override {
    const Json options = Json::parse(task.meta);
    auto done = cursor.empty() ? 0 : static_cast<std::int32_t>(std::stoi(std::string(cursor)));
    const auto last = done + kBatch;
    if (const auto pause = numberOf(options, "plan_ms", 0); pause > 0) planning.sleep(pause);
    if (step == 1) {
      const auto total = numberOf(options, "subtasks", 1);
      while (done < total && done < last) planning.addSubtask(subtask(options, step, ++done, {}).dump());
      return {std::to_string(done), done >= total};
    }
    bool complete = true;
    planning.readResults(step - 1, done, [&](std::int32_t ordinal, std::string_view result) {
      if (ordinal > last) return complete = false;
      planning.addSubtask(subtask(options, step, ordinal, result).dump());
      done = ordinal;
      return true;
    });
    return {std::to_string(done), complete};
  }

  std::unique_ptr<sdk::Step> createStep(const sdk::Host&, const sdk::Task&, std::int32_t, const sdk::Resource&)
      override {
    return std::make_unique<ChaosStep>(notes_, folder_);
  }

  bool isIdempotent(const sdk::Subtask& subtask) override {
    const Json meta = Json::parse(subtask.meta);
    const Json* value = meta.find("idempotent");
    return value == nullptr || value->asBool();
  }

 private:
  static constexpr std::int32_t kBatch = 40;

  static Json subtask(const Json& options, std::int32_t step, std::int32_t ordinal, std::string_view input) {
    Json meta;
    const auto jitter = std::max<std::int64_t>(1, numberOf(options, "jitter_ms", 1));
    meta["work_ms"] = numberOf(options, "sleep_ms", 0) + std::int64_t{ordinal} * 7919 % jitter;
    meta["checkpoints"] = numberOf(options, "checkpoints", 0);
    if (const Json* value = options.find("idempotent")) meta["idempotent"] = value->asBool();
    if (!input.empty()) meta["input"] = input;
    if (step != 1) return meta;
    for (const auto* kind : {"fail", "kill", "retry"}) {
      if (numberOf(options, std::string(kind) + "_at", 0) == ordinal) meta["trouble"] = kind;
    }
    meta["times"] = numberOf(options, "times", 1);
    return meta;
  }

  Notes notes_;
  std::string folder_;
};

}  // namespace

DISTTASK_PLUGIN("chaos", "1", ChaosType)
