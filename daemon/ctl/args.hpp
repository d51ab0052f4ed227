#pragma once
#include "disttask/proto/task_state.hpp"
#include "disttask/storage/client_table.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace disttask::ctl {

enum class Output : std::uint8_t { kTable, kJson };

/// What every command takes.
struct CommonOptions {
  std::string store;          ///< mysql://…; empty = from elsewhere
  std::string config;         ///< a daemon's YAML; empty = none
  std::string password_file;  ///< for `store`
  Output output = Output::kTable;
};

struct WaitOptions {
  bool wait = false;
  std::optional<std::chrono::milliseconds> timeout;
};

struct SchemaInstall {
  std::string connection;  ///< empty = our own schema
};
struct SchemaStatus {};
struct SchemaDump {
  std::string connection;
};
struct TaskSubmit {
  std::string type;
  std::string key;  ///< empty = one is made
  bool if_absent = false;
  std::string meta = "{}";  ///< JSON, or @FILE
  std::int32_t slots = 1;
  std::optional<std::int32_t> parallel;  ///< 0 = auto
  std::int32_t priority = 512;
  std::int32_t max_nodes = 0;
  std::string scope = "disttask";
  bool manual_recovery = false;
  WaitOptions wait;
};
struct TaskLs {
  std::vector<proto::TaskState> states;
  std::string type;
  bool all = false;
  std::int32_t limit = 100;
};
struct TaskShow {
  std::string name;
};
struct TaskWhy {
  std::string name;
  std::optional<std::int64_t> subtask;  ///< its id: of this one only
};
struct TaskWait {
  std::string name;
  WaitOptions wait;
};
struct TaskCancel {
  std::string name;
  WaitOptions wait;
};
struct TaskPause {
  std::string name;
};
struct TaskResume {
  std::string name;
};
struct TaskModify {
  std::string name;
  std::optional<std::int32_t> slots;
  std::optional<std::int32_t> max_nodes;
  std::optional<std::int32_t> priority;
  std::optional<std::string> meta;  ///< JSON, or @FILE
  WaitOptions wait;
};
struct TaskResolve {
  std::string name;
  storage::Resolution resolution = storage::Resolution::kRetry;
};
struct TaskEvents {
  std::string name;
  std::int32_t limit = 500;
};
struct TaskSubtasks {
  std::string name;
  std::optional<std::int32_t> step;
  std::int32_t limit = 1000;
};
struct NodeLs {};
struct NodeCordon {
  std::string node;
  std::string message;
};
struct NodeUncordon {
  std::string node;
};
struct NodeDrain {
  std::string node;
  std::string message;
  std::optional<std::chrono::milliseconds> deadline;  ///< from now on: then runs are given back
  WaitOptions wait;
};
struct NodeForget {
  std::string node;
};
struct NodeEvents {
  std::string node;
  std::int32_t limit = 100;
};
struct PluginLs {};
struct PluginCheck {
  std::string file;
};

using Command = std::variant<
    SchemaInstall,
    SchemaStatus,
    SchemaDump,
    TaskSubmit,
    TaskLs,
    TaskShow,
    TaskWhy,
    TaskWait,
    TaskCancel,
    TaskPause,
    TaskResume,
    TaskModify,
    TaskResolve,
    TaskEvents,
    TaskSubtasks,
    NodeLs,
    NodeCordon,
    NodeUncordon,
    NodeDrain,
    NodeForget,
    NodeEvents,
    PluginLs,
    PluginCheck>;

struct Arguments {
  CommonOptions common;
  Command command;
};

/// What to do instead of a command: write the text (help to stdout, a mistake to stderr) and end.
struct EarlyEnd {
  int exit_code = 0;
  std::string text;
};

/// Reads a command line. The only source of disttaskctl that sees CLI11.
[[nodiscard]] std::variant<Arguments, EarlyEnd> parseArguments(const std::vector<std::string>& arguments);

}  // namespace disttask::ctl
