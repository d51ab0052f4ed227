#include "fakes.hpp"

namespace disttask::test {

namespace fs = std::filesystem;

std::string LoaderBench::copyFixture(const std::string& name) const {
  const fs::path from = fs::path(DISTTASK_FIXTURES) / (name + ".so");
  const fs::path copy = dir / (name + ".so");
  fs::copy_file(from, copy);
  fs::permissions(copy, fs::perms(0644));
  return copy.string();
}

std::shared_ptr<plugin::TaskType> LoaderBench::load(const std::string& fixture, const std::string& type) {
  auto loader = makeLoader();
  static_cast<void>(loader.load(copyFixture(fixture)).value());
  return types.find(type);
}

std::shared_ptr<plugin::TaskType> LoaderBench::adopt(const disttask_plugin* plugin, const std::string& type) {
  auto loader = makeLoader();
  static_cast<void>(loader.adopt(plugin, "built in").value());
  return types.find(type);
}

proto::Task makeTask(const std::string& type, const std::string& meta) {
  proto::Task task;
  task.id = proto::TaskId(7);
  task.key = "a-key";
  task.type = type;
  task.slots = 4;
  task.meta = meta;
  return task;
}

proto::Subtask makeSubtask(std::int32_t ordinal, const std::string& meta) {
  proto::Subtask subtask;
  subtask.id = proto::SubtaskId(100 + ordinal);
  subtask.task_id = proto::TaskId(7);
  subtask.step = proto::Step(1);
  subtask.ordinal = ordinal;
  subtask.meta = meta;
  return subtask;
}

}  // namespace disttask::test
