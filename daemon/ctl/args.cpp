#include "args.hpp"

#include "disttask/settings/units.hpp"

#include "../exit_codes.hpp"
#include <CLI/CLI.hpp>

#include <algorithm>
#include <sstream>

namespace disttask::ctl {
namespace {

constexpr const char* kFooter = R"(NAME is a task's key, or id:NUMBER.
The store: --store, else DISTTASK_STORE, else --config, else ~/.config/disttask/ctl.yaml.
The password: DISTTASK_PASSWORD, else --password-file, else what DISTTASK_STORE or the file says. Never on the command line.

Exit codes: 0 done or succeeded, 1 failed, 2 wrong use, 3 not found, 4 time limit, 5 refused, 6 cancelled,
69 store not reachable, 76 schema missing or unfit, 77 login or privilege, 78 settings.)";

/// Adapts a parser of ours to an option of CLI11.
std::string setDuration(const std::string& text, std::optional<std::chrono::milliseconds>& out) {
  const auto value = settings::parseDuration(text);
  if (!value) return "'" + text + "' " + value.error().message();
  out = value.value();
  return "";
}

class Parser {
 public:
  Parser() {
    app_.fallthrough();
    app_.require_subcommand(1);
    app_.footer(kFooter);
    app_.set_version_flag("--version", std::string("disttaskctl ") + DISTTASK_VERSION);
    app_.add_option("--store", common_.store, "mysql://USER@HOST[:PORT]/[SCHEMA][?socket=PATH&tls=verify&ca=FILE]");
    app_.add_option("--config", common_.config, "Settings of a daemon (YAML): its store, and its connections");
    app_.add_option("--password-file", common_.password_file, "File with the password of --store or DISTTASK_STORE");
    app_.add_option_function<std::string>(
            "-o,--output",
            [this](const std::string& form) { common_.output = form == "json" ? Output::kJson : Output::kTable; },
            "table or json"
    )
        ->check(CLI::IsMember({"table", "json"}));
    addSchema();
    addTask();
    addTaskChanges();
    addResolve();
    addTaskViews();
    addOthers();
  }

  std::variant<Arguments, EarlyEnd> parse(std::vector<std::string> arguments) {
    try {
      std::reverse(arguments.begin(), arguments.end());
      app_.parse(std::move(arguments));
    } catch (const CLI::ParseError& end) {
      std::ostringstream out;
      std::ostringstream mistake;
      const int code = app_.exit(end, out, mistake);
      if (code == 0) return EarlyEnd{0, out.str()};
      return EarlyEnd{app::kExitUsage, mistake.str()};
    }
    if (!command_) return EarlyEnd{app::kExitUsage, "disttaskctl: no command\n"};
    return Arguments{common_, *command_};
  }

 private:
  /// Adds `noun verb` that chooses `options` as the command; they are kept where CLI11 writes into them.
  template <typename T>
  CLI::App* verb(CLI::App* noun, const std::string& name, const std::string& help, T& options) {
    auto* sub = noun->add_subcommand(name, help);
    sub->final_callback([this, &options] { command_ = options; });
    return sub;
  }

  CLI::App* noun(const std::string& name, const std::string& help) {
    auto* sub = app_.add_subcommand(name, help);
    sub->require_subcommand(1);
    return sub;
  }

  static void addName(CLI::App* sub, std::string& name) {
    sub->add_option("NAME", name, "Key of the task, or id:NUMBER")->required();
  }

  static void addWait(CLI::App* sub, WaitOptions& wait, bool flag) {
    if (flag) sub->add_flag("--wait", wait.wait, "Wait until the task has ended; the exit code says how");
    addTimeout(sub, wait, "Stop waiting after this long, such as 30s or 2h; the task goes on");
  }

  static void addTimeout(CLI::App* sub, WaitOptions& wait, const char* help) {
    sub->add_option_function<std::string>(
        "--timeout",
        [&wait](const std::string& text) {
          if (const auto wrong = setDuration(text, wait.timeout); !wrong.empty())
            throw CLI::ValidationError("--timeout", wrong);
        },
        help
    );
  }

  void addSchema() {
    auto* schema = noun("schema", "The tables in the store");
    auto* install = verb(schema, "install", "Make whatever is missing; safe to repeat", schema_install_);
    install->add_option(
        "--connection",
        schema_install_.connection,
        "Make the ledger of csv_import on this connection of --config instead"
    );
    verb(schema, "status", "Compare the store with what this program needs", schema_status_);
    auto* dump = verb(schema, "dump", "Write the SQL text for a DBA to run by hand", schema_dump_);
    dump->add_option("--connection", schema_dump_.connection, "The ledger of this connection of --config instead");
  }

  void addTask() {
    task_ = noun("task", "Tasks and their subtasks");
    auto* submit = verb(task_, "submit", "Submit a task", submit_);
    submit->add_option("--type", submit_.type, "Task type")->required();
    submit->add_option(
        "--key", submit_.key, "Name of the task, unique for ever; default: made from type, time and chance"
    );
    submit->add_flag(
        "--if-absent", submit_.if_absent, "When the key was used before: give the old task instead of refusing"
    );
    submit->add_option("--meta", submit_.meta, "What the task type is told: JSON, or @FILE (@- = stdin)");
    submit->add_option("--slots", submit_.slots, "CPU slots of one subtask (DXF: concurrency)")
        ->check(CLI::Range(1, 4096));
    submit->add_option_function<std::string>(
        "--parallel",
        [this](const std::string& text) {
          std::int32_t number = 0;
          if (text != "auto" && (!CLI::detail::lexical_cast(text, number) || number < 1 || number > 4096)) {
            throw CLI::ValidationError("--parallel", "'" + text + "', expected auto or a number from 1 to 4096");
          }
          submit_.parallel = number;
        },
        "Subtasks of this task at a time on one node: a number, or auto"
    );
    submit->add_option("--priority", submit_.priority, "Smaller runs first")->check(CLI::Range(1, 1024));
    submit->add_option("--max-nodes", submit_.max_nodes, "Use at most so many nodes; 0 = no limit")
        ->check(CLI::Range(0, 100000));
    submit->add_option("--scope", submit_.scope, "Run on nodes of this scope");
    submit->add_flag(
        "--manual-recovery",
        submit_.manual_recovery,
        "When a subtask fails: wait for 'task resolve' instead of reverting the task"
    );
    addWait(submit, submit_.wait, true);

    auto* wait = verb(task_, "wait", "Wait until a task has ended; the exit code says how", wait_);
    wait_.wait.wait = true;
    addName(wait, wait_.name);
    addWait(wait, wait_.wait, false);
    auto* cancel =
        verb(task_, "cancel", "Cancel a task: its subtasks end, what it did is reverted where its type can", cancel_);
    addName(cancel, cancel_.name);
    addWait(cancel, cancel_.wait, true);
  }

  void addTaskChanges() {
    addName(verb(task_, "pause", "Pause a task: what runs may end, nothing new begins", pause_), pause_.name);
    addName(verb(task_, "resume", "Let a paused task go on", resume_), resume_.name);
    auto* modify = verb(task_, "modify", "Change a pending, running or paused task", modify_);
    addName(modify, modify_.name);
    modify->add_option("--slots", modify_.slots, "CPU slots of one subtask")->check(CLI::Range(1, 4096));
    modify->add_option("--max-nodes", modify_.max_nodes, "Use at most so many nodes")->check(CLI::Range(1, 100000));
    modify->add_option("--priority", modify_.priority, "Smaller runs first")->check(CLI::Range(1, 1024));
    modify->add_option("--meta", modify_.meta, "What the task type is told from now on: JSON, or @FILE (@- = stdin)");
    modify->add_flag("--wait", modify_.wait.wait, "Wait until each live node runs the task with the change");
    addTimeout(modify, modify_.wait, "Stop waiting after this long (default 30s); the change stays");
  }

  void addResolve() {
    auto* resolve = verb(task_, "resolve", "Decide about a task whose subtasks failed and that waits for it", resolve_);
    addName(resolve, resolve_.name);
    auto* how = resolve->add_option_group("how");
    const auto add = [&](const char* flag, const char* help, storage::Resolution resolution) {
      how->add_flag_callback(
          flag, [this, resolution] { resolve_.resolution = resolution; }, help
      );
    };
    add("--retry", "Run the failed subtasks again", storage::Resolution::kRetry);
    add("--skip", "Let the failed subtasks count as succeeded; they have no result", storage::Resolution::kSkip);
    add("--fail", "Revert the task", storage::Resolution::kFail);
    how->require_option(1);
  }

  void addTaskViews() {
    auto* ls = verb(task_, "ls", "List tasks", ls_);
    ls->add_option_function<std::vector<std::string>>(
        "--state",
        [this](const std::vector<std::string>& texts) {
          for (const auto& text : texts) {
            const auto state = proto::parseTaskState(text);
            if (!state) throw CLI::ValidationError("--state", "'" + text + "' is no state of a task");
            ls_.states.push_back(*state);
          }
        },
        "Only tasks in this state; may be given several times"
    );
    ls->add_option("--type", ls_.type, "Only tasks of this type");
    ls->add_flag("-a,--all", ls_.all, "Tasks that have gone to history, too");
    ls->add_option("--limit", ls_.limit, "At most so many")->check(CLI::Range(1, 100000));
    auto* show = verb(task_, "show", "Show one task: steps, nodes, result or error", show_);
    addName(show, show_.name);
    auto* events = verb(task_, "events", "List what became of a task: when, what, by whom and why", events_);
    addName(events, events_.name);
    events->add_option("--limit", events_.limit, "The last so many")->check(CLI::Range(1, 100000));
    auto* why = verb(task_, "why", "Say why a task, or some of its subtasks, does not run now", why_);
    addName(why, why_.name);
    why->add_option("--subtask", why_.subtask, "Only this one, by its id, as task subtasks shows it");
    auto* subtasks = verb(task_, "subtasks", "List the subtasks of a task, and who ran them", subtasks_);
    addName(subtasks, subtasks_.name);
    subtasks->add_option("--step", subtasks_.step, "Only this step");
    subtasks->add_option("--limit", subtasks_.limit, "At most so many")->check(CLI::Range(1, 1000000));
  }

  static void addNode(CLI::App* sub, std::string& node) {
    sub->add_option("NODE", node, "The node's id, as node ls shows it")->required();
  }

  void addNodes() {
    auto* node = noun("node", "Nodes");
    verb(node, "ls", "List nodes", node_ls_);
    auto* cordon = verb(node, "cordon", "Give a node nothing more; what it has it works off", cordon_);
    addNode(cordon, cordon_.node);
    cordon->add_option("-m,--message", cordon_.message, "Why, for others to read");
    addNode(verb(node, "uncordon", "Let a cordoned or draining node take part again", uncordon_), uncordon_.node);
    auto* drain = verb(node, "drain", "Empty a node: what waits there moves, what runs may end", drain_);
    addNode(drain, drain_.node);
    drain->add_option("-m,--message", drain_.message, "Why, for others to read");
    drain->add_option_function<std::string>(
        "--deadline",
        [this](const std::string& text) {
          if (const auto wrong = setDuration(text, drain_.deadline); !wrong.empty())
            throw CLI::ValidationError("--deadline", wrong);
        },
        "After this long, such as 10m, what still runs and may run again is given back, too"
    );
    drain->add_flag("--wait", drain_.wait.wait, "Wait until the node is empty");
    addTimeout(drain, drain_.wait, "Stop waiting after this long; the node goes on draining");
    auto* events = verb(node, "events", "List what became of a node: when, what, by whom and why", node_events_);
    addNode(events, node_events_.node);
    events->add_option("--limit", node_events_.limit, "The last so many")->check(CLI::Range(1, 100000));
    addNode(verb(node, "forget", "Delete the rows of a node that is gone for good", forget_), forget_.node);
  }

  void addOthers() {
    addNodes();
    auto* plugin = noun("plugin", "Task types and their plugins");
    verb(plugin, "ls", "List the task types that nodes offer", plugin_ls_);
    auto* check = verb(
        plugin, "check", "Load a plugin as a daemon would, and say what it offers or why it is refused", plugin_check_
    );
    check->add_option("FILE", plugin_check_.file, "The shared object")->required();
  }

  CommonOptions common_;
  SchemaInstall schema_install_;
  SchemaStatus schema_status_;
  SchemaDump schema_dump_;
  TaskSubmit submit_;
  TaskLs ls_;
  TaskShow show_;
  TaskWhy why_;
  TaskWait wait_;
  TaskCancel cancel_;
  TaskPause pause_;
  TaskResume resume_;
  TaskModify modify_;
  TaskResolve resolve_;
  TaskEvents events_;
  TaskSubtasks subtasks_;
  NodeLs node_ls_;
  NodeCordon cordon_;
  NodeUncordon uncordon_;
  NodeDrain drain_;
  NodeForget forget_;
  NodeEvents node_events_;
  PluginLs plugin_ls_;
  PluginCheck plugin_check_;
  std::optional<Command> command_;
  CLI::App app_{"disttaskctl: submits distributed work and shows what becomes of it", "disttaskctl"};
  CLI::App* task_ = nullptr;
};

}  // namespace

std::variant<Arguments, EarlyEnd> parseArguments(const std::vector<std::string>& arguments) {
  return Parser().parse(arguments);
}

}  // namespace disttask::ctl
