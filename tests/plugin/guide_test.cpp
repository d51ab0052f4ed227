// What docs/plugin-guide.md promises.
#include "fakes.hpp"

#include <catch2/catch.hpp>

namespace disttask::test {

TEST_CASE("the first plugin of the guide works", "[plugin][guide]") {
  LoaderBench bench;
  const auto copy = bench.dir / "hello.so";
  std::filesystem::copy_file(DISTTASK_HELLO, copy);
  std::filesystem::permissions(copy, std::filesystem::perms(0644));
  auto loader = bench.makeLoader();
  REQUIRE(loader.load(copy.string()));
  const auto type = bench.types.find("hello");
  REQUIRE(type);
  const auto task = makeTask("hello", "");
  CHECK(type->nextStep({}, task, proto::kStepInit) == proto::Step(1));
  CHECK(type->nextStep({}, task, proto::Step(1)) == proto::kStepDone);
  FakePlan planning;
  const auto batch = type->plan(planning, task, proto::Step(1), "", {});
  CHECK(batch.complete);
  REQUIRE(batch.metas == std::vector<std::string>{"Ann", "Bob", "Eve"});

  const auto step = type->createStepExecutor(task);
  step->setFrameworkInfo(proto::Step(1), {1, 0});
  step->init({});
  FakeRun run;
  auto subtask = makeSubtask(1, batch.metas[0]);
  CHECK(type->isIdempotent(subtask));
  step->runSubtask(run, subtask);
  CHECK(subtask.meta == "greeted Ann");
  step->cleanup({});
}

TEST_CASE("the guide shows the first plugin as it is compiled", "[plugin][guide]") {
  const std::string source = readFile(DISTTASK_SOURCE "/docs/examples/hello_plugin/hello_plugin.cpp");
  const std::string guide = readFile(DISTTASK_SOURCE "/docs/plugin-guide.md");
  CHECK(guide.find("```cpp\n" + source + "```\n") != std::string::npos);
}

}  // namespace disttask::test
