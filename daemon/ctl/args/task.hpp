#pragma once
#include "common.hpp"
#include "disttask/proto/task_state.hpp"
#include "disttask/storage/client_table.hpp"

#include <vector>

namespace disttask::ctl {

enum class Validate : std::uint8_t {
  kAuto,     ///< by the plugin, where it is at hand
  kRequire,  ///< no task without it
  kOff,
};
/// Who looks at a meta before it is written.
struct MetaCheck {
  Validate validate = Validate::kAuto;
  std::string plugin;       ///< file of the plugin that validates
  std::string plugins_dir;  ///< or the folder of plugins
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
  MetaCheck check;
  bool dry_run = false;
  WaitOptions wait;
};
struct TaskLs {
  std::vector<proto::TaskState> states;
  std::string type;
  bool all = false;     ///< with history
  bool active = false;  ///< unfinished ones only
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
struct TaskWatch {
  std::string name;
  std::chrono::milliseconds interval = std::chrono::seconds(1);
};
struct TaskCancel {
  std::string name;
  WaitOptions wait;
};
struct TaskPause {
  std::string name;
  WaitOptions wait;
};
struct TaskResume {
  std::string name;
  WaitOptions wait;
};
struct TaskModify {
  std::string name;
  std::optional<std::int32_t> slots;
  std::optional<std::int32_t> max_nodes;
  std::optional<std::int32_t> priority;
  std::optional<std::string> meta;  ///< JSON, or @FILE
  MetaCheck check;
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

int execute(Context& context, const TaskSubmit& options);
int execute(Context& context, const TaskLs& options);
int execute(Context& context, const TaskShow& options);
int execute(Context& context, const TaskWhy& options);
int execute(Context& context, const TaskWait& options);
int execute(Context& context, const TaskWatch& options);
int execute(Context& context, const TaskCancel& options);
int execute(Context& context, const TaskPause& options);
int execute(Context& context, const TaskResume& options);
int execute(Context& context, const TaskModify& options);
int execute(Context& context, const TaskResolve& options);
int execute(Context& context, const TaskEvents& options);
int execute(Context& context, const TaskSubtasks& options);

}  // namespace disttask::ctl
