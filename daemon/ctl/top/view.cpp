#include "view.hpp"

#include "../nodes.hpp"
#include "../output/table.hpp"
#include "../output/text.hpp"
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>

namespace disttask::ctl {
namespace {

using proto::Life;

constexpr std::size_t kBarWidth = 10;
constexpr double kMaxLeftSeconds = 8640000;  // beyond a hundred days it says nothing

std::string barOf(const storage::SubtaskCounts& counts) {
  const auto all = numAll(counts);
  if (all == 0) return "";
  const auto full = static_cast<std::size_t>(numDone(counts) * static_cast<std::int64_t>(kBarWidth) / all);
  return std::string(full, '#') + std::string(kBarWidth - full, '.');
}

std::string leftOf(const TopTask& task) {
  const auto open = numAll(task.counts) - numDone(task.counts) - task.counts.canceled;
  if (!task.per_second || *task.per_second <= 0 || open <= 0) return "";
  const auto seconds = std::ceil(static_cast<double>(open) / *task.per_second);
  if (seconds > kMaxLeftSeconds) return "";
  // An estimate: beyond some minutes the seconds only take room, beyond some hours the minutes do.
  auto span = static_cast<std::int64_t>(seconds);
  if (span >= 600) span -= span % 60;
  if (span >= 6 * 3600) span -= span % 3600;
  return formatSpan(std::chrono::seconds(span));
}

std::string stepOf(proto::Step step) {
  return step.value() < 0 ? "" : std::to_string(step.value());
}

/// The table's lines: the titles, then as many rows as there is room for, the last one saying how many are left out.
std::vector<std::string> cut(const Table& table, std::size_t columns, std::size_t room, const char* what) {
  Terminal terminal;
  terminal.columns = columns;
  std::ostringstream out;
  table.print(out, terminal);
  std::istringstream in(out.str());
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  if (room == 0 || lines.size() <= room) return lines;
  const auto left = lines.size() - room + 1;
  lines.resize(room);
  lines.back() = fmt::format("... and {} more {}", left, what);
  return lines;
}

Table nodeTable(const TopSnapshot& snapshot) {
  Table table(
      {{"NODE"},
       {"STATE"},
       {"WANTED", Align::kLeft, 2},
       {"USED", Align::kRight},
       {"SLOTS", Align::kRight},
       {"TASKS", Align::kRight, 1},
       {"SCOPE", Align::kLeft, 4},
       {"TROUBLE", Align::kLeft, 3}}
  );
  for (const auto& [node, tasks, used, wanted] : snapshot.nodes) {
    table.add(
        {node.exec_id + (node.exec_id == snapshot.owner ? " *" : ""),
         std::string(stateOf(node)),
         wanted,
         std::to_string(used),
         std::to_string(node.slots),
         std::to_string(tasks),
         node.role,
         firstLine(proto::describeReasons(node.reasons))}
    );
  }
  return table;
}

Table taskTable(const std::vector<TopTask>& tasks) {
  // Failures are worth their room, a column of none is not.
  const bool has_failed =
      std::any_of(tasks.begin(), tasks.end(), [](const auto& task) { return task.counts.failed > 0; });
  std::vector<Column> columns{
      {"ID", Align::kRight, 3},
      {"KEY", Align::kLeft, 1, false, 16},
      {"TYPE", Align::kLeft, 4},
      {"STATE"},
      {"STEP", Align::kRight, 2},
      {"DONE", Align::kRight},
      {"OF", Align::kRight},
      {"", Align::kLeft, 6, false, kBarWidth},
      {"RUNS", Align::kRight, 5},
      {"/S", Align::kRight},
      {"LEFT", Align::kRight, 3}};
  if (has_failed) columns.insert(columns.end() - 2, Column{"FAILED", Align::kRight});
  Table table(std::move(columns));
  for (const auto& task : tasks) {
    std::vector<Cell> cells{
        std::to_string(task.task.id.value()),
        task.task.key,
        task.task.type,
        std::string(toString(task.task.state)),
        stepOf(task.task.step),
        formatCount(numDone(task.counts)),
        formatCount(numAll(task.counts)),
        barOf(task.counts),
        formatCount(task.counts.running),
        task.per_second ? formatShort(*task.per_second) : "",
        leftOf(task)};
    if (has_failed) cells.insert(cells.end() - 2, task.counts.failed == 0 ? "" : formatCount(task.counts.failed));
    table.add(std::move(cells));
  }
  return table;
}

std::string headOf(const TopSnapshot& snapshot) {
  const auto live = std::count_if(snapshot.nodes.begin(), snapshot.nodes.end(), [](const auto& node) {
    return node.node.life != Life();
  });
  const auto of_tidb = std::count_if(snapshot.nodes.begin(), snapshot.nodes.end(), [](const auto& node) {
    return isTidbHost(node.node);
  });
  double rate = 0;
  bool has_rate = false;
  for (const auto& task : snapshot.tasks) {
    if (!task.per_second) continue;
    has_rate = true;
    rate += *task.per_second;
  }
  return fmt::format(
      "{}  {} of {} nodes live{}  {}{} task{}  {}{}",
      snapshot.clock,
      live,
      static_cast<std::int64_t>(snapshot.nodes.size()) - of_tidb,
      of_tidb > 0 ? fmt::format(", {} of TiDB", of_tidb) : "",
      snapshot.tasks.size(),
      snapshot.more_tasks ? "+" : "",
      snapshot.tasks.size() == 1 && !snapshot.more_tasks ? "" : "s",
      has_rate ? formatShort(rate) + " ends/s  " : "",
      snapshot.is_beside_tidb ? "scheduled by TiDB" : "owner " + (snapshot.owner.empty() ? "nobody" : snapshot.owner)
  );
}

std::vector<TopTask> sorted(std::vector<TopTask> tasks, TopSort sort) {
  if (sort == TopSort::kRate) {
    std::stable_sort(tasks.begin(), tasks.end(), [](const auto& a, const auto& b) {
      return a.per_second.value_or(0) > b.per_second.value_or(0);
    });
  } else if (sort == TopSort::kKey) {
    std::stable_sort(tasks.begin(), tasks.end(), [](const auto& a, const auto& b) { return a.task.key < b.task.key; });
  }
  return tasks;
}

}  // namespace

std::string_view toString(TopSort sort) noexcept {
  switch (sort) {
    case TopSort::kRank:
      return "rank";
    case TopSort::kRate:
      return "rate";
    case TopSort::kKey:
      break;
  }
  return "key";
}

TopSort nextOf(TopSort sort) noexcept {
  return sort == TopSort::kRank ? TopSort::kRate : sort == TopSort::kRate ? TopSort::kKey : TopSort::kRank;
}

std::int64_t numDone(const storage::SubtaskCounts& counts) noexcept {
  return counts.succeed + counts.failed;
}

std::int64_t numAll(const storage::SubtaskCounts& counts) noexcept {
  return numDone(counts) + counts.canceled + counts.pending + counts.running + counts.paused;
}

void setRates(TopSnapshot& now, const TopSnapshot& before, double seconds) {
  if (seconds <= 0) return;
  for (auto& task : now.tasks) {
    const auto same = std::find_if(before.tasks.begin(), before.tasks.end(), [&](const auto& other) {
      return other.task.id == task.task.id && other.task.step == task.task.step;
    });
    if (same == before.tasks.end()) continue;
    const auto ended = numDone(task.counts) - numDone(same->counts);
    task.per_second = std::max(0.0, static_cast<double>(ended) / seconds);
  }
}

std::vector<std::string> renderTop(
    const TopSnapshot& snapshot, const TopSize& size, TopSort sort, const std::string& footer
) {
  std::vector<std::string> lines{headOf(snapshot)};
  if (!snapshot.trouble.empty()) lines.push_back("! " + snapshot.trouble);
  const std::size_t num_footer = footer.empty() ? 0 : 1;
  std::size_t node_room = 0;
  std::size_t task_room = 0;
  const std::size_t node_lines = snapshot.nodes.size() + 1;
  const std::size_t task_lines = snapshot.tasks.size() + 1;
  if (size.rows > 0) {
    // Two empty lines, and titles with one row each at least.
    const std::size_t taken = lines.size() + 2 + num_footer;
    const std::size_t room = std::max<std::size_t>(size.rows > taken ? size.rows - taken : 0, 4);
    node_room = std::min(node_lines, std::max({room / 3, std::size_t{2}, room > task_lines ? room - task_lines : 0}));
    task_room = room - node_room;
  }
  const auto add = [&](const std::vector<std::string>& part) {
    lines.emplace_back();
    lines.insert(lines.end(), part.begin(), part.end());
  };
  add(cut(nodeTable(snapshot), size.columns, node_room, "nodes"));
  add(cut(taskTable(sorted(snapshot.tasks, sort)), size.columns, task_room, "tasks"));
  if (size.rows > 0) lines.resize(std::max(size.rows - num_footer, std::size_t{1}));
  if (!footer.empty()) lines.push_back(footer);
  if (size.rows > 0 && lines.size() > size.rows) lines.resize(size.rows);
  for (auto& line : lines) line = shorten(printable(line), size.columns == 0 ? 10000 : size.columns);
  return lines;
}

}  // namespace disttask::ctl
