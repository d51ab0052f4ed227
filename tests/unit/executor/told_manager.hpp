#pragma once
#include "executor_fixture.hpp"

#include <functional>
#include <utility>

namespace disttask::test {

/// A Manager with a poll loop beside it, which the test plays: it is told what polls show, and asks for one by
/// `ask_for_poll`. Tasks of type `t` run the world's script.
struct ToldManager {
  explicit ToldManager(
      World& world, std::function<void()> ask_for_poll = [] {}, plugin::TaskTypeOptions options = {}
  )
      : manager(
            world.settings,
            {world.table, registry, world.clock, world.timers, ctl, work, world.lease, std::move(ask_for_poll)}
        ) {
    registry.add(
        "t",
        {[&world](const auto& context, const auto& exec_id, const auto& task, auto& table)
             -> std::unique_ptr<executor::TaskExecutor> {
           return std::make_unique<ScriptedExecutor>(world.script, context, exec_id, task, table);
         },
         options,
         "test"}
    );
  }
  executor::TaskExecutorRegistry registry;
  runtime::ThreadPool ctl{"ctl", 2, 8, {}};
  runtime::ThreadPool work{"work", 4, 0, {}};
  executor::Manager manager;
};

}  // namespace disttask::test
