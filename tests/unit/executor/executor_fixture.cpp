#include "executor_fixture.hpp"

#include "disttask/base/random.hpp"

#include <algorithm>

namespace disttask::test {

namespace {

class ScriptedStep final : public plugin::StepExecutor {
 public:
  explicit ScriptedStep(Script& script) : script_(script) {}
  void init(const runtime::CancelToken&) override {
    script_.note("init " + name());
    if (script_.step_init) script_.step_init();
  }
  void runSubtask(plugin::RunContext& context, proto::Subtask& subtask) override {
    script_.note("run " + std::to_string(subtask.ordinal));
    if (script_.run) script_.run(context, subtask);
  }
  std::optional<proto::SubtaskSummary> realtimeSummary(const plugin::RunContext& context) override {
    if (script_.summary) script_.summary();
    return plugin::countedBy(context);
  }
  void onFinished(plugin::RunContext& context, proto::Subtask& subtask) override {
    script_.note("finished " + std::to_string(subtask.ordinal));
    if (script_.on_finished) script_.on_finished(context, subtask);
  }
  void cleanup(const runtime::CancelToken&) override {
    script_.note("cleanup " + name());
    if (script_.step_cleanup) script_.step_cleanup();
  }
  void taskMetaModified(const runtime::CancelToken&, const std::string& meta) override {
    script_.note("meta " + meta);
    if (script_.meta_modified) script_.meta_modified(meta);
  }
  void resourceModified(const runtime::CancelToken&, const proto::StepResource& resource) override {
    script_.note("resource " + std::to_string(resource.slots));
    if (script_.resource_modified) script_.resource_modified(resource);
  }

 private:
  [[nodiscard]] std::string name() const {
    return std::to_string(getStep().value()) + "/" + std::to_string(getResource().slots);
  }
  Script& script_;
};

}  // namespace

void Script::note(std::string event) {
  const std::lock_guard lock(mutex_);
  events_.push_back(std::move(event));
}

std::vector<std::string> Script::events() const {
  const std::lock_guard lock(mutex_);
  return events_;
}

int Script::count(const std::string& event) const {
  const auto all = events();
  return static_cast<int>(std::count(all.begin(), all.end(), event));
}

void ScriptedExecutor::init(const runtime::CancelToken&) {
  if (script_.executor_init) script_.executor_init();
}

std::unique_ptr<plugin::StepExecutor> ScriptedExecutor::getStepExecutor(const proto::Task& task) {
  script_.note("make " + std::to_string(task.step.value()));
  if (script_.made_for) script_.made_for(task);
  if (script_.make_step) script_.make_step();
  return std::make_unique<ScriptedStep>(script_);
}

World::World() {
  settings.exec_id = kNode;
  settings.slots = 16;
  settings.memory_bytes = 1600;
}

proto::TaskId World::addTask(std::int32_t slots, std::int32_t priority, proto::Step step) {
  proto::Task task;
  task.type = "t";
  task.state = proto::TaskState::kRunning;
  task.step = step;
  task.slots = slots;
  task.priority = priority;
  task.meta = "meta";
  return rows.insertTask(task);
}

proto::SubtaskId World::addSubtask(proto::TaskId task, proto::Step step, const proto::ExecId& exec_id) {
  proto::Subtask row;
  row.task_id = task;
  row.step = step;
  row.exec_id = exec_id;
  return rows.insertSubtask(row);
}

std::vector<proto::SubtaskId> World::addSubtasks(proto::TaskId task, int count, proto::Step step) {
  std::vector<proto::SubtaskId> ids;
  for (int i = 0; i < count; ++i) ids.push_back(addSubtask(task, step));
  return ids;
}

proto::SubtaskId World::addOrphan(proto::TaskId task, bool idempotent) {
  const auto id = addSubtask(task);
  rows.change([&](auto& data) {
    auto& row = data.subtasks[id];
    row.state = proto::SubtaskState::kRunning;
    row.token = proto::makeRunToken(randomToken(), idempotent);
    row.start_time = data.nowSeconds();
  });
  return id;
}

void World::setTaskState(proto::TaskId task, proto::TaskState state) {
  rows.change([&](auto& data) { data.tasks[task].state = state; });
}

void World::setStep(proto::TaskId task, proto::Step step) {
  rows.change([&](auto& data) { data.tasks[task].step = step; });
}

int World::numInState(proto::TaskId task, proto::SubtaskState state) const {
  const auto all = rows.subtasks(task);
  return static_cast<int>(std::count_if(all.begin(), all.end(), [&](const auto& row) { return row.state == state; }));
}

bool World::runUntil(const std::function<bool()>& done, runtime::Duration step) {
  const runtime::Deadline deadline(runtime::systemClock(), kSoon);
  for (;;) {
    clock.comeToRest();
    if (done()) return true;
    if (deadline.isReached()) return false;
    clock.advance(step);
  }
}

RunningExecutor::RunningExecutor(
    World& world,
    executor::NodeServices& node,
    proto::TaskId task,
    plugin::TaskTypeOptions options,
    storage::TaskTable* table
)
    : world_(world), node_(node) {
  const auto row = *world.rows.task(task);
  static_cast<void>(node.slots.alloc(row));
  executor_ = std::make_unique<ScriptedExecutor>(
      world.script,
      executor::ExecutorContext{node.vanish.token(), node, options},
      kNode,
      row,
      table != nullptr ? *table : world.table
  );
}

RunningExecutor::~RunningExecutor() {
  executor_->close();
  threads_.join();
}

void RunningExecutor::start() {
  threads_.join();
  returned_ = false;
  threads_.spawn("run", [this] {
    executor_->run(node_.resourceOf(executor_->getTaskBase()));
    returned_ = true;
  });
}

ManagedNode::ManagedNode(World& world_in)
    : world(world_in),
      ctl("ctl", 2, 8, {}),
      work("work", 16, 0, {}),
      manager(world.settings, {world.table, registry, world.clock, world.timers, ctl, work, world.lease}) {}

void ManagedNode::offer(plugin::TaskTypeOptions options, const std::string& type) {
  registry.add(
      type,
      {[this](const auto& context, const auto& exec_id, const auto& task, auto& table)
           -> std::unique_ptr<executor::TaskExecutor> {
         return std::make_unique<ScriptedExecutor>(world.script, context, exec_id, task, table);
       },
       options,
       "test"}
  );
}

void Blocker::wait(plugin::RunContext& context) {
  ++waiting_;
  while (!open_ && context.sleepFor(20ms)) {
  }
  --waiting_;
  if (!open_) throw Exception(ErrorCode::kCancelled, "cancelled");
}

}  // namespace disttask::test
