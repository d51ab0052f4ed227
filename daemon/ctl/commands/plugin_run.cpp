#include "commands.hpp"
#include "disttask/runtime/clock.hpp"
#include "meta_option.hpp"

#include "../../exit_codes.hpp"
#include "../args/trial.hpp"
#include "../output/interrupt.hpp"
#include "../output/listing.hpp"
#include "../output/text.hpp"
#include "../trial/trial_process.hpp"
#include "../trial/trial_rows.hpp"
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace disttask::ctl {
namespace {

namespace fs = std::filesystem;
using proto::SubtaskState;
using storage::MemoryRows;

constexpr std::chrono::milliseconds kLook{20};

/// A folder that goes with it.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "disttask-run.XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw Exception(ErrorCode::kInternal, name + " cannot be made");
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] fs::path rows() const { return path_ / "rows.json"; }

 private:
  fs::path path_;
};

void load(const fs::path& file, MemoryRows& rows) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  readTrialRows(text.str(), rows);
}

void writeFirstRows(const fs::path& file, const PluginRun& options) {
  MemoryRows rows;
  proto::Task task;
  task.id = kTrialTask;
  task.key = "trial";
  task.type = options.type;
  task.state = proto::TaskState::kRunning;
  task.meta = readMeta(options.meta);
  if (options.parallel > 0) task.extra.parallel_subtasks = options.parallel;
  rows.insertTask(task);
  KeptRows(rows, file).save();
}

/// One run of the tool: one or two processes on one table.
class PluginTrial {
 public:
  PluginTrial(Context& context, const PluginRun& options) : context_(context), options_(options) {
    task_.plugin = fs::absolute(options.file).string();
    task_.type = options.type;
    task_.rows = folder_.rows();
    task_.settings.slots = options.slots;
    writeFirstRows(task_.rows, options);
  }

  int run() {
    // So that the folder goes; before the fork, since Ctrl-C of a terminal reaches the child as well.
    const InterruptWatch interrupt;
    auto process = std::make_unique<TrialProcess>(task_);
    runtime::Wakeup pause(clock_);
    const auto start = clock_.now();
    const auto passed = [&](const auto& limit) { return limit && clock_.now() - start >= *limit; };
    bool is_cancelled = false;
    while (!process->status()) {
      if (interrupt.signal() != 0) {
        process->kill();
        context_.err() << "\ninterrupted: the plugin's process was killed as it ran\n";
        return interrupt.exitCode();
      }
      if (passed(options_.timeout)) {
        process->kill();
        print();
        context_.err() << "gave up after " << options_.timeout->count() << " ms\n";
        return app::kCtlTimeLimit;
      }
      if (!is_cancelled && passed(options_.cancel_after)) {
        process->cancel();
        is_cancelled = true;
      }
      if (!killed_ && passed(options_.kill_after) && isRunning()) {
        process->kill();
        tellOfKill();
        process = std::make_unique<TrialProcess>(task_);
        // A cancel that the killed process had not come to.
        is_cancelled = false;
      }
      pause.waitFor({}, kLook);
    }
    return report(*process->status());
  }

 private:
  [[nodiscard]] bool isRunning() const {
    MemoryRows rows;
    load(task_.rows, rows);
    for (const auto& row : rows.subtasks(kTrialTask)) {
      if (row.state == SubtaskState::kRunning) return true;
    }
    return false;
  }

  void tellOfKill() {
    killed_ = true;
    MemoryRows rows;
    load(task_.rows, rows);
    for (const auto& row : rows.subtasks(kTrialTask)) {
      if (row.state != SubtaskState::kRunning) continue;
      const auto checkpoint = rows.checkpoint(row.id);
      const auto what = fmt::format("subtask {} of step {}", row.ordinal, row.step.value());
      killed_runs_.push_back({row.id, checkpoint});
      context_.err() << "killed while " << what << " ran; "
                     << (checkpoint.empty() ? "it has no checkpoint" : "its checkpoint: " + firstLine(checkpoint))
                     << '\n';
    }
    context_.err() << "a new life of the node begins on what the table has\n";
  }

  int report(int status) {
    if (WIFSIGNALED(status)) {
      print();
      throw Exception(
          ErrorCode::kPluginFailed,
          fmt::format(
              "the plugin crashed with signal {} ({}); a daemon would have gone with it",
              WTERMSIG(status),
              ::strsignal(WTERMSIG(status))
          )
      );
    }
    if (WEXITSTATUS(status) == kTrialRefused) return app::kCtlRefused;  // it has said why
    if (WEXITSTATUS(status) != 0) {
      print();
      throw Exception(
          ErrorCode::kPluginFailed, fmt::format("the plugin ended its process with exit code {}", WEXITSTATUS(status))
      );
    }
    if (options_.kill_after && !killed_) context_.err() << "nothing was killed: nothing ran any more at that time\n";
    return print();
  }

  /// Shows what the table has; returns the exit code that the task stands for.
  int print() {
    MemoryRows rows;
    load(task_.rows, rows);
    const auto task = rows.task(kTrialTask).value();
    const auto subtasks = rows.subtasks(kTrialTask);
    Json::Array list;
    Table table(
        {{"STEP", Align::kRight},
         {"#", Align::kRight},
         {"STATE"},
         {"ROWS", Align::kRight, 4},
         {"RETRIES", Align::kRight, 3},
         {"KILLED", Align::kRight, 2},
         {"RESULT, OR ERROR", Align::kLeft, 1}}
    );
    for (const auto& row : subtasks) {
      const auto attempt = rows.attempt(row.id);
      const auto progress = proto::parseSummary(row.summary);
      const bool has_result = row.state == SubtaskState::kSucceed;
      list.push_back(Json::Object{
          {"step", std::int64_t{row.step.value()}},
          {"ordinal", std::int64_t{row.ordinal}},
          {"state", toString(row.state)},
          {"rows", progress.row_count},
          {"retries", std::int64_t{attempt.retries}},
          {"abnormal_ends", std::int64_t{attempt.abnormal_ends}},
          {"checkpoint", rows.checkpoint(row.id)},
          {"result", has_result ? row.meta : ""},
          {"error", row.error},
      });
      table.add(
          {std::to_string(row.step.value()),
           std::to_string(row.ordinal),
           stateCell(toString(row.state)),
           formatCount(progress.row_count),
           attempt.retries == 0 ? "" : std::to_string(attempt.retries),
           attempt.abnormal_ends == 0 ? "" : std::to_string(attempt.abnormal_ends),
           firstLine(has_result ? row.meta : row.error)}
      );
    }
    Json::Array kills;
    for (const auto& [id, checkpoint] : killed_runs_)
      kills.push_back(Json::Object{{"subtask", id.value()}, {"checkpoint", checkpoint}});
    const bool cancelled = task.error == "cancelled by user";
    const std::string state(toString(task.state));
    const std::string outcome = task.state == proto::TaskState::kSucceed ? "succeeded"
                                : !isDone(task.state)                    ? "not ended"
                                : cancelled                              ? "cancelled"
                                                                         : "failed";
    const Json json = Json::Object{
        {"outcome", outcome},
        {"state", state},
        {"error", task.error},
        {"subtasks", std::move(list)},
        {"killed", std::move(kills)},
    };
    printOne(context_, outcome, json, [&] {
      table.print(context_.out(), context_.terminal());
      context_.out() << '\n' << outcome << (task.error.empty() ? "" : ": " + task.error) << '\n';
    });
    if (task.state == proto::TaskState::kSucceed) return app::kExitClean;
    return cancelled ? app::kCtlCancelled : app::kCtlFailed;
  }

  Context& context_;
  const PluginRun& options_;
  runtime::Clock& clock_ = runtime::systemClock();
  Folder folder_;
  TrialTask task_;
  bool killed_ = false;
  std::vector<std::pair<proto::SubtaskId, std::string>> killed_runs_;
};

}  // namespace

int execute(Context& context, const PluginRun& options) {
  std::error_code failure;
  if (!fs::exists(options.file, failure))
    throw Exception(ErrorCode::kNotFound, options.file + ": there is no such file");
  return PluginTrial(context, options).run();
}

}  // namespace disttask::ctl
