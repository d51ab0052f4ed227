#include "task.hpp"

#include "tree.hpp"

namespace disttask::ctl {
namespace {

constexpr const char* kWaitHelp = "Wait until the task has ended; the exit code says how";
constexpr const char* kTimeoutHelp = "Stop waiting after this long, such as 30s or 2h; the task goes on";

/// Returns the options, so that a command can say what they need.
std::vector<CLI::Option*> addMetaCheck(CLI::App* command, MetaCheck& options) {
  auto& validate = options.validate;
  auto* how =
      command
          ->add_option_function<std::string>(
              "--validate",
              [&validate](const std::string& text) {
                validate = text == "off" ? Validate::kOff : text == "require" ? Validate::kRequire : Validate::kAuto;
              },
              "Let the plugin check the meta first; auto: where it is at hand, require: else refuse"
          )
          ->check(CLI::IsMember({"auto", "require", "off"}));
  auto* file = command->add_option("--plugin", options.plugin, "The plugin that checks the meta");
  auto* folder = command
                     ->add_option(
                         "--plugins-dir",
                         options.plugins_dir,
                         "Folder of plugins; default: that of --config, else where plugins are installed"
                     )
                     ->excludes(file);
  return {how, file, folder};
}

void addSubmit(ArgumentTree& tree, CLI::App* task) {
  auto [submit, options] = tree.verb<TaskSubmit>(task, "submit", "Submit a task");
  auto& parallel = options.parallel;
  submit->add_option("--type", options.type, "Task type")->required();
  submit->add_option(
      "--key", options.key, "Name of the task, unique for ever; default: made from type, time and chance"
  );
  submit->add_flag(
      "--if-absent", options.if_absent, "When the key was used before: give the old task instead of refusing"
  );
  submit->add_option("--meta", options.meta, "What the task type is told: JSON or YAML, or @FILE (@- = stdin)")
      ->type_name("TEXT|@FILE");
  submit
      ->add_option(
          "--slots",
          options.slots,
          "CPU slots that the task takes on each node where it runs (DXF: concurrency). A node has node.slots, by "
          "default "
          "its CPUs; who gets none there waits"
      )
      ->check(CLI::Range(1, 4096));
  submit->add_option_function<std::string>(
      "--parallel",
      [&parallel](const std::string& text) {
        std::int32_t number = 0;
        if (text != "auto" && (!CLI::detail::lexical_cast(text, number) || number < 1 || number > 4096)) {
          throw CLI::ValidationError("--parallel", "'" + text + "', expected auto or a number from 1 to 4096");
        }
        parallel = number;
      },
      "Subtasks of this task at a time on one node: a number, which share its slots there, or auto: each further one "
      "borrows as many free slots, and gives them back when another task needs them. Cannot be changed later"
  );
  submit->add_option("--priority", options.priority, "Smaller runs first")->check(CLI::Range(1, 1024));
  submit->add_option("--max-nodes", options.max_nodes, "Use at most so many nodes; 0 = no limit")
      ->check(CLI::Range(0, 100000));
  submit->add_option("--scope", options.scope, "Run on nodes of this scope");
  submit->add_flag(
      "--manual-recovery",
      options.manual_recovery,
      "When a subtask fails: wait for 'task resolve' instead of reverting the task"
  );
  addMetaCheck(submit, options.check);
  submit->add_flag(
      "--dry-run", options.dry_run, "Say what would come of it: subtasks and nodes, or what is missing; write nothing"
  );
  addWait(submit, options.wait, kWaitHelp, kTimeoutHelp);
}

void addChanges(ArgumentTree& tree, CLI::App* task) {
  auto [cancel, cancel_options] = tree.verb<TaskCancel>(
      task, "cancel", "Cancel a task: its subtasks end, what it did is reverted where its type can; asks first"
  );
  addTaskName(cancel, cancel_options.name);
  addWait(
      cancel, cancel_options.wait, kWaitHelp, "Stop waiting after this long, such as 30s or 2h; the cancel goes on"
  );
  auto [pause, pause_options] = tree.verb<TaskPause>(
      task,
      "pause",
      "Pause a task: nothing new begins, what runs is told to stop and its subtasks wait to be resumed; those that may "
      "not run twice are waited for"
  );
  addTaskName(pause, pause_options.name);
  addWait(
      pause,
      pause_options.wait,
      "Wait until the task is paused, or has ended",
      "Stop waiting after this long, such as 30s or 2h; the pause stays"
  );
  auto [resume, resume_options] = tree.verb<TaskResume>(task, "resume", "Let a paused task go on");
  addTaskName(resume, resume_options.name);
  addWait(
      resume,
      resume_options.wait,
      "Wait until the task goes on, or has ended",
      "Stop waiting after this long, such as 30s or 2h; the task goes on"
  );
  auto [modify, options] = tree.verb<TaskModify>(task, "modify", "Change a pending, running or paused task");
  addTaskName(modify, options.name);
  modify->add_option("--slots", options.slots, "CPU slots that the task takes on each node where it runs")
      ->check(CLI::Range(1, 4096));
  modify->add_option("--max-nodes", options.max_nodes, "Use at most so many nodes")->check(CLI::Range(1, 100000));
  modify->add_option("--priority", options.priority, "Smaller runs first")->check(CLI::Range(1, 1024));
  auto* meta =
      modify->add_option("--meta", options.meta, "What the task type is told from now on: JSON or YAML, or @FILE")
          ->type_name("TEXT|@FILE");
  for (auto* option : addMetaCheck(modify, options.check)) option->needs(meta);
  addWait(
      modify,
      options.wait,
      "Wait until each live node runs the task with the change",
      "Stop waiting after this long (default 30s); the change stays"
  );
}

void addResolve(ArgumentTree& tree, CLI::App* task) {
  auto [resolve, options] = tree.verb<TaskResolve>(
      task, "resolve", "Decide about a task whose subtasks failed and that waits for it; --skip and --fail ask first"
  );
  addTaskName(resolve, options.name);
#ifdef __clang_analyzer__
  auto* how = resolve;  // it takes the group that CLI11 makes for null
#else
  auto* how = resolve->add_option_group("how");
#endif
  auto& resolution = options.resolution;
  const auto add = [&](const char* flag, const char* help, storage::Resolution choice) {
    how->add_flag_callback(
        flag, [&resolution, choice] { resolution = choice; }, help
    );
  };
  add("--retry", "Run the failed subtasks again", storage::Resolution::kRetry);
  add("--skip", "Let the failed subtasks count as succeeded; they have no result", storage::Resolution::kSkip);
  add("--fail", "Revert the task", storage::Resolution::kFail);
  how->require_option(1);
}

std::vector<std::string> allTaskStates() {
  std::vector<std::string> states;
  states.reserve(proto::kNumTaskStates);
  for (int i = 0; i < proto::kNumTaskStates; ++i) states.emplace_back(toString(static_cast<proto::TaskState>(i)));
  return states;
}

void addLs(ArgumentTree& tree, CLI::App* task) {
  auto [ls, options] = tree.verb<TaskLs>(task, "ls", "List tasks");
  auto& states = options.states;
  ls->add_option_function<std::vector<std::string>>(
        "--state",
        [&states](const std::vector<std::string>& texts) {
          for (const auto& text : texts) states.push_back(*proto::parseTaskState(text));
        },
        "Only tasks in this state; may be given several times"
  )
      ->check(CLI::IsMember(allTaskStates()));
  ls->add_option("--type", options.type, "Only tasks of this type");
  auto* all = ls->add_flag("-a,--all", options.all, "Tasks that have gone to history, too");
  ls->add_flag("--active", options.active, "Only tasks that have not ended")->excludes(all);
  ls->add_option("--limit", options.limit, "At most so many")->check(CLI::Range(1, 100000));
}

void addViews(ArgumentTree& tree, CLI::App* task) {
  auto [show, show_options] = tree.verb<TaskShow>(task, "show", "Show one task: steps, nodes, result or error");
  addTaskName(show, show_options.name);
  auto [events, events_options] =
      tree.verb<TaskEvents>(task, "events", "List what became of a task: when, what, by whom and why");
  addTaskName(events, events_options.name);
  events->add_option("--limit", events_options.limit, "The last so many")->check(CLI::Range(1, 100000));
  auto [why, why_options] =
      tree.verb<TaskWhy>(task, "why", "Say why a task, or some of its subtasks, does not run now");
  addTaskName(why, why_options.name);
  why->add_option("--subtask", why_options.subtask, "Only this one, by its id, as task subtasks shows it");
  auto [subtasks, options] = tree.verb<TaskSubtasks>(task, "subtasks", "List the subtasks of a task, and who ran them");
  addTaskName(subtasks, options.name);
  subtasks->add_option("--step", options.step, "Only this step");
  subtasks->add_option("--limit", options.limit, "At most so many")->check(CLI::Range(1, 1000000));
  auto [watch, watch_options] = tree.verb<TaskWatch>(
      task, "watch", "Show one task until it has ended, redrawn in place; the exit code says how it ended"
  );
  addTaskName(watch, watch_options.name);
  addRequiredDuration(watch, "--interval", watch_options.interval, "Look so often (default 1s)");
  auto [wait, wait_options] = tree.verb<TaskWait>(task, "wait", "Wait until a task has ended; the exit code says how");
  addTaskName(wait, wait_options.name);
  addWait(wait, wait_options.wait, "", kTimeoutHelp);
}

}  // namespace

void addTaskCommands(ArgumentTree& tree) {
  auto* task = tree.noun("task", "Tasks and their subtasks");
  addSubmit(tree, task);
  addLs(tree, task);
  addViews(tree, task);
  addChanges(tree, task);
  addResolve(tree, task);
}

}  // namespace disttask::ctl
