#include "tree.hpp"

#include "disttask/settings/units.hpp"

#include <map>

namespace disttask::ctl {
namespace {

constexpr const char* kFooter = R"(NAME is a task's key, or id:NUMBER.
The store: --store, else DISTTASK_STORE, else --config, else ~/.config/disttask/ctl.yaml.
The password: DISTTASK_PASSWORD, else --password-file, else what DISTTASK_STORE or the file says. Never on the command line.

Exit codes: 0 done or succeeded, 1 failed, 2 wrong use, 3 not found, 4 time limit, 5 refused, 6 cancelled,
69 store not reachable or takes no writes, 76 schema missing or unfit, 77 login or privilege, 78 settings.)";

template <typename T>
void addChoice(
    CLI::App& app, const std::string& flag, T& out, const std::map<std::string, T>& choices, const std::string& help
) {
  std::vector<std::string> names;
  names.reserve(choices.size());
  for (const auto& [name, value] : choices) names.push_back(name);
  app.add_option_function<std::string>(
         flag, [&out, choices](const std::string& name) { out = choices.at(name); }, help
  )
      ->check(CLI::IsMember(names));
}

/// `--key --wait` means that the value of --key was forgotten. Three dashes begin a YAML document.
std::string refuseOptionAsValue(const std::string& value) {
  if (value.rfind("--", 0) != 0 || value.rfind("---", 0) == 0) return "";
  return "'" + value + "' looks like an option, expected a value";
}

void refuseOptionsAsValues(CLI::App& app) {
  for (auto* option : app.get_options()) {
    if (option->get_type_size() == 0 || option->get_positional()) continue;
    option->check(CLI::Validator(refuseOptionAsValue, "", "no_option"));
  }
  for (auto* sub : app.get_subcommands({})) refuseOptionsAsValues(*sub);
}

}  // namespace

ArgumentTree::ArgumentTree() {
  app_.fallthrough();
  app_.require_subcommand(1);
  app_.footer(kFooter);
  app_.set_version_flag("--version", std::string("disttaskctl ") + DISTTASK_VERSION);
  app_.add_option("--store", common_.store, "mysql://USER@HOST[:PORT]/[SCHEMA][?socket=PATH&tls=verify&ca=FILE]");
  app_.add_option("--config", common_.config, "Settings of a daemon (YAML): its store, connections and plugins");
  app_.add_option(
      "--schema",
      common_.schema,
      "Schema of the store, in place of the one that it is named with; mysql: a live TiDB's own tables"
  );
  app_.add_option("--password-file", common_.password_file, "File with the password of --store or DISTTASK_STORE");
  addChoice<Output>(
      app_,
      "-o,--output",
      common_.output,
      {{"table", Output::kTable}, {"json", Output::kJson}, {"jsonl", Output::kJsonl}, {"name", Output::kName}},
      "table for people, json one document, jsonl one object a line, name what other commands take"
  );
  addChoice<ColorChoice>(
      app_,
      "--color",
      common_.color,
      {{"auto", ColorChoice::kAuto}, {"always", ColorChoice::kAlways}, {"never", ColorChoice::kNever}},
      "Colour states in tables; auto: on a terminal, unless NO_COLOR is set"
  );
  addChoice<TimeFormat>(
      app_,
      "--time-format",
      common_.time_format,
      {{"relative", TimeFormat::kRelative}, {"iso", TimeFormat::kIso}},
      "Times in tables: '3 min ago' (default on a terminal) or 2026-03-01T11:30:05Z (default elsewhere)"
  );
  app_.add_flag("-y,--yes", common_.yes, "Do what destroys without asking; needed for it where there is no terminal");
  app_.add_flag("-q,--quiet", common_.quiet, "Only data and errors, no talk on stderr");
}

CLI::App* ArgumentTree::noun(const std::string& name, const std::string& help) {
  auto* sub = app_.add_subcommand(name, help);
  sub->require_subcommand(1);
  return sub;
}

void ArgumentTree::addFooter(CLI::App* sub) {
  sub->footer("Options of every command, such as -o, --store and --yes: disttaskctl --help");
}

void ArgumentTree::finish() {
  refuseOptionsAsValues(app_);
}

void addTaskName(CLI::App* sub, std::string& name) {
  sub->add_option("NAME", name, "Key of the task, or id:NUMBER")->required();
}

void addDuration(
    CLI::App* sub, const std::string& flag, std::optional<std::chrono::milliseconds>& out, const std::string& help
) {
  sub->add_option_function<std::string>(
         flag,
         [&out, flag](const std::string& text) {
           const auto value = settings::parseDuration(text);
           if (!value) throw CLI::ValidationError(flag, "'" + text + "': " + value.error().message());
           out = value.value();
         },
         help
  )
      ->type_name("TIME");
}

void addRequiredDuration(
    CLI::App* sub, const std::string& flag, std::chrono::milliseconds& out, const std::string& help
) {
  sub->add_option_function<std::string>(
         flag,
         [&out, flag](const std::string& text) {
           const auto value = settings::parseDuration(text);
           if (!value) throw CLI::ValidationError(flag, "'" + text + "': " + value.error().message());
           out = value.value();
         },
         help
  )
      ->type_name("TIME");
}

void addWait(CLI::App* sub, WaitOptions& wait, const std::string& flag, const std::string& timeout) {
  if (flag.empty()) {
    wait.wait = true;
  } else {
    sub->add_flag("--wait", wait.wait, flag);
  }
  addDuration(sub, "--timeout", wait.timeout, timeout);
}

}  // namespace disttask::ctl
