#include "../args/top.hpp"

#include "commands.hpp"
#include "disttask/base/error.hpp"
#include "disttask/runtime/clock.hpp"

#include "../../exit_codes.hpp"
#include "../nodes.hpp"
#include "../output/listing.hpp"
#include "../top/screen.hpp"
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <map>

namespace disttask::ctl {
namespace {

constexpr std::chrono::milliseconds kInterval{2000};
constexpr std::chrono::milliseconds kLeastInterval{500};
/// Off a terminal: between the two looks that a rate needs.
constexpr std::chrono::milliseconds kRateSpan{1000};
constexpr std::int32_t kMaxHolders = 5000;

std::string clockText() {
  const auto now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
}

/// Looks, and remembers the look before for the rates.
class TopSource {
 public:
  TopSource(Context& context, std::int32_t limit) : context_(context), limit_(limit) {}

  TopSnapshot look() {
    auto& store = context_.store();
    TopSnapshot now;
    now.clock = clockText();
    now.is_beside_tidb = context_.isBesideTidb();
    const auto owner = store.schedulerTable().getOwner(call());
    if (owner.life != proto::Life()) now.owner = owner.exec_id;
    std::map<proto::ExecId, std::pair<std::int64_t, std::int64_t>> used;
    for (const auto& holder : store.reasonTable().getSlotHolders(call(), kMaxHolders)) {
      auto& [tasks, slots] = used[holder.exec_id];
      slots += holder.slots;
      tasks += 1;
    }
    for (auto& node : listNodes(context_)) {
      const auto [tasks, slots] = used[node.exec_id];
      auto wanted = findWanted(context_, node);
      now.nodes.push_back({std::move(node), tasks, slots, std::move(wanted)});
    }
    storage::TaskFilter filter;
    for (int i = 0; i < proto::kNumTaskStates; ++i) {
      const auto state = static_cast<proto::TaskState>(i);
      if (!isDone(state)) filter.states.push_back(state);
    }
    filter.limit = limit_ + 1;
    const auto at = clock_.now();
    for (auto& task : store.clientTable().listTasks(call(), filter)) now.tasks.push_back({std::move(task), {}, {}});
    now.more_tasks = now.tasks.size() > static_cast<std::size_t>(limit_);
    std::sort(now.tasks.begin(), now.tasks.end(), [](const auto& a, const auto& b) {
      return outranks(a.task, b.task);
    });
    if (now.more_tasks) now.tasks.resize(static_cast<std::size_t>(limit_));
    for (auto& task : now.tasks)
      task.counts = store.schedulerTable().countSubtasks(call(), task.task.id, task.task.step);
    if (before_) setRates(now, *before_, std::chrono::duration<double>(at - before_at_).count());
    before_ = now;
    before_at_ = at;
    return now;
  }

 private:
  /// Short: somebody who leaves waits for it.
  [[nodiscard]] runtime::Call call() const { return {{}, runtime::Deadline(clock_, std::chrono::seconds(5))}; }

  Context& context_;
  const std::int32_t limit_;
  runtime::Clock& clock_ = runtime::systemClock();
  std::optional<TopSnapshot> before_;
  runtime::TimePoint before_at_{};
};

Json toJson(const TopSnapshot& snapshot) {
  Json::Array nodes;
  for (const auto& [node, tasks, slots, wanted] : snapshot.nodes) {
    nodes.push_back(Json::Object{
        {"node", node.exec_id},
        {"state", stateOf(node)},
        {"wanted", wanted},
        {"used_slots", slots},
        {"slots", std::int64_t{node.slots}},
        {"tasks", tasks},
    });
  }
  Json::Array tasks;
  for (const auto& task : snapshot.tasks) {
    tasks.push_back(Json::Object{
        {"id", task.task.id.value()},
        {"key", task.task.key},
        {"type", task.task.type},
        {"state", toString(task.task.state)},
        {"step", std::int64_t{task.task.step.value()}},
        {"done", numDone(task.counts) + task.counts.canceled},  // as it always was: fields keep their meaning
        {"subtasks", numAll(task.counts)},
        {"running", task.counts.running},
        {"failed", task.counts.failed},
        {"per_second", task.per_second ? Json(*task.per_second) : Json()},
    });
  }
  return Json::Object{{"owner", snapshot.owner}, {"nodes", std::move(nodes)}, {"tasks", std::move(tasks)}};
}

int printOnce(Context& context, TopSource& source) {
  static_cast<void>(source.look());
  runtime::Wakeup pause(runtime::systemClock());
  pause.waitFor({}, kRateSpan);
  const auto snapshot = source.look();
  printOne(context, snapshot.owner, toJson(snapshot), [&] {
    for (const auto& line : renderTop(snapshot, {context.terminal().columns, 0}, TopSort::kRank, "")) {
      context.out() << line << '\n';
    }
  });
  return app::kExitClean;
}

int watch(TopSource& source, std::chrono::milliseconds interval) {
  auto& clock = runtime::systemClock();
  auto snapshot = source.look();  // what fails at once is told on the ordinary screen
  const Screen screen;
  auto sort = TopSort::kRank;
  auto next = clock.now() + interval;
  for (;;) {
    const auto footer = fmt::format(
        "q quit   s sort by {}   every {} s   * owner",
        toString(nextOf(sort)),
        static_cast<double>(interval.count()) / 1000
    );
    screen.draw(renderTop(snapshot, screen.size(), sort, footer));
    char key = 0;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - clock.now());
    switch (screen.wait(std::max(left, std::chrono::milliseconds(0)), key)) {
      case Screen::Event::kLeave:
        return Screen::signal() == 0 || Screen::signal() == SIGINT ? app::kExitClean : 128 + Screen::signal();
      case Screen::Event::kKey:
        if (key == 'q' || key == 'Q') return app::kExitClean;
        if (key == 's') sort = nextOf(sort);
        break;
      case Screen::Event::kResized:
        break;
      case Screen::Event::kTime:
        try {
          snapshot = source.look();
        } catch (const Exception& e) {
          if (!isPassing(e.error())) throw;
          snapshot.trouble = e.error().message();
        }
        next = clock.now() + interval;
        break;
    }
  }
}

}  // namespace

int execute(Context& context, const Top& options) {
  const auto interval = options.interval.value_or(kInterval);
  if (interval < kLeastInterval) throw Exception(ErrorCode::kInvalidArgument, "--interval: expected at least 500ms");
  TopSource source(context, options.limit);
  const auto& terminal = context.terminal();
  const bool is_watched = terminal.is_out_terminal && terminal.is_in_terminal;  // and can be left by a key
  if (!is_watched || context.output() != Output::kTable) return printOnce(context, source);
  return watch(source, interval);
}

}  // namespace disttask::ctl
