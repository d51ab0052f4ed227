#pragma once
#include "disttask/base/json.hpp"
#include "disttask/proto/task.hpp"
#include "disttask/settings/loader.hpp"
#include "disttask/storage/mysql/store.hpp"

#include "args/common.hpp"
#include "output/terminal.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

namespace disttask::ctl {

/// What commands work with: where to write, and the store, which is chosen and opened when first asked for. One thread.
class Context {
 public:
  Context(CommonOptions options, std::ostream& out, std::ostream& err);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context();

  /// Data goes here.
  [[nodiscard]] std::ostream& out() noexcept { return out_; }
  /// Talk goes here; nowhere with --quiet.
  [[nodiscard]] std::ostream& err() noexcept { return options_.quiet ? nowhere_ : err_; }
  /// What is wrong goes here, also with --quiet.
  [[nodiscard]] std::ostream& errors() noexcept { return err_; }
  [[nodiscard]] Output output() const noexcept { return options_.output; }
  [[nodiscard]] bool isQuiet() const noexcept { return options_.quiet; }
  [[nodiscard]] const Terminal& terminal() const noexcept { return terminal_; }
  /// Looks again how wide the terminal is.
  void lookAtTerminal() { terminal_ = detectTerminal(options_); }
  [[nodiscard]] const CommonOptions& options() const noexcept { return options_; }
  /// Writes one JSON document to out: on one line with -o jsonl.
  void printJson(const Json& json);
  /// Writes a moment (seconds since the epoch) for people as they want times; empty for 0.
  [[nodiscard]] std::string timeText(std::int64_t seconds) const;
  /// Asks before something is destroyed, unless --yes was given: `question` is such as "Cancel task 'k'?". Throws
  /// kPrecondition when the answer is no, or when nobody can answer.
  void confirm(const std::string& question);

  /// Returns the store that the options, the environment or a file name. Throws kInvalidConfig or kInvalidArgument when
  /// none does.
  [[nodiscard]] storage::mysql::Store& store();
  /// True when the store is a live TiDB's own tables: its scheduler decides, and tasks are not ours to change.
  [[nodiscard]] bool isBesideTidb() { return !store().settings().side_schema.empty(); }
  /// True when there are no side tables of ours beside them that this account could read. Opens no store.
  [[nodiscard]] bool isWithoutSideTables() const { return store_ && store_->settings().without_side_tables; }
  /// Returns the store's schema name without needing a store: `disttask` when nothing names one.
  [[nodiscard]] std::string schemaName();
  /// Returns that and, beside a live TiDB, the schema of our side tables.
  [[nodiscard]] storage::mysql::Schemas schemas();
  /// Returns the settings of --config; throws kInvalidArgument when it is not given, kInvalidConfig when they are
  /// wrong.
  [[nodiscard]] const settings::Settings& daemonSettings();
  [[nodiscard]] const settings::HostFacts& facts() const noexcept { return facts_; }
  /// Returns a call that gives up after a time that suits a person.
  [[nodiscard]] runtime::Call call() const;

  /// Finds the task that NAME (a key, or id:NUMBER) means; throws kNotFound.
  [[nodiscard]] proto::Task findTask(const std::string& name);
  /// Tells the owner of the scheduler role that there is news. A hint: failures are ignored.
  void nudgeOwner() noexcept;

 private:
  [[nodiscard]] std::optional<settings::StoreSettings> chooseStore();
  [[nodiscard]] bool canUseSideTables();

  const CommonOptions options_;
  std::ostream& out_;
  std::ostream& err_;
  std::ostream nowhere_{nullptr};
  Terminal terminal_;
  const settings::HostFacts facts_;
  const std::optional<std::string> store_variable_;
  const std::optional<std::string> password_variable_;
  std::optional<settings::Settings> daemon_settings_;
  std::unique_ptr<storage::mysql::Store> store_;
};

/// Chooses the store of disttaskctl from what was said where; pure but for reading files. `dsn_variable` and
/// `password_variable` are DISTTASK_STORE and DISTTASK_PASSWORD; `home` is where .config/disttask/ctl.yaml is looked
/// for, empty = nowhere. Nothing: nobody named one. Throws kInvalidArgument (a password inside --store, say) or
/// kInvalidConfig.
[[nodiscard]] std::optional<settings::StoreSettings> chooseStoreFrom(
    const CommonOptions& options,
    const std::optional<std::string>& dsn_variable,
    const std::optional<std::string>& password_variable,
    const std::string& config_home,
    settings::HostFacts facts
);

}  // namespace disttask::ctl
