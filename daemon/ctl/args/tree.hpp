#pragma once
#include "../args.hpp"
#include <CLI/CLI.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace disttask::ctl {

/// The tree of nouns and verbs. Each noun has a file in this folder: the structs of its commands with their `execute`
/// in a header, and a function that adds it here. One thread.
class ArgumentTree {
 public:
  ArgumentTree();
  ArgumentTree(const ArgumentTree&) = delete;
  ArgumentTree& operator=(const ArgumentTree&) = delete;
  ~ArgumentTree() = default;

  [[nodiscard]] CLI::App& root() noexcept { return app_; }
  [[nodiscard]] const CommonOptions& common() const noexcept { return common_; }
  /// Returns the command that was chosen; nothing before parsing.
  [[nodiscard]] const std::optional<Command>& command() const noexcept { return command_; }

  /// Adds a noun, under which verbs are added.
  CLI::App* noun(const std::string& name, const std::string& help);
  /// Adds a command under a noun, or under root(). `T` has an `int execute(Context&, const T&)`; its options are
  /// written into the reference that is returned, which lives as long as this tree.
  template <typename T>
  std::pair<CLI::App*, T&> verb(CLI::App* noun, const std::string& name, const std::string& help) {
    auto options = std::make_shared<T>();
    auto* sub = noun->add_subcommand(name, help);
    addFooter(sub);
    sub->final_callback([this, options] {
      command_ = Command{*options, [given = *options](Context& context) { return execute(context, given); }};
    });
    return {sub, *options};
  }

  /// Must be called once when everything was added: refuses values that are options which lost their value.
  void finish();

 private:
  static void addFooter(CLI::App* sub);

  CLI::App app_{"disttaskctl: submits distributed work and shows what becomes of it", "disttaskctl"};
  CommonOptions common_;
  std::optional<Command> command_;
};

/// Adds the argument that names a task.
void addTaskName(CLI::App* sub, std::string& name);
/// Adds an option that is a length of time with a unit, such as 30s or 2h.
void addDuration(
    CLI::App* sub, const std::string& flag, std::optional<std::chrono::milliseconds>& out, const std::string& help
);
/// The same where there is a default.
void addRequiredDuration(
    CLI::App* sub, const std::string& flag, std::chrono::milliseconds& out, const std::string& help
);
/// Adds --timeout, and before it --wait where `flag` says what is waited for.
void addWait(CLI::App* sub, WaitOptions& wait, const std::string& flag, const std::string& timeout);

/// Adds all commands.
void addAllCommands(ArgumentTree& tree);

// One per file of this folder.
void addConfigCommands(ArgumentTree& tree);
void addSchemaCommands(ArgumentTree& tree);
void addTaskCommands(ArgumentTree& tree);
void addSubtaskCommands(ArgumentTree& tree);
void addNodeCommands(ArgumentTree& tree);
void addPluginCommands(ArgumentTree& tree);
void addDoctorCommands(ArgumentTree& tree);
void addHistoryCommands(ArgumentTree& tree);
void addTrialCommands(ArgumentTree& tree);
void addTopCommand(ArgumentTree& tree);
void addDocumentCommands(ArgumentTree& tree);

}  // namespace disttask::ctl
