#include "top/view.hpp"
#include <catch2/catch.hpp>

#include <string>

using namespace disttask;
using namespace disttask::ctl;

namespace {

TopSnapshot sample(int nodes, int tasks) {
  TopSnapshot snapshot;
  snapshot.clock = "12:00:00";
  snapshot.owner = "node-1";
  for (int i = 1; i <= nodes; ++i) {
    TopNode node;
    node.node.exec_id = "node-" + std::to_string(i);
    node.node.life = proto::Life(i % 3 == 0 ? 0 : 7);
    node.node.slots = 8;
    node.node.role = "disttask";
    node.tasks = node.used_slots = i % 8;
    snapshot.nodes.push_back(node);
  }
  for (int i = 1; i <= tasks; ++i) {
    TopTask task;
    task.task.id = proto::TaskId(i);
    task.task.key = "nightly-import-of-everything-" + std::to_string(i);
    task.task.type = "csv_import";
    task.task.state = proto::TaskState::kRunning;
    task.task.step = proto::Step(1);
    task.counts.pending = 500;
    task.counts.succeed = 500;
    task.per_second = i;
    snapshot.tasks.push_back(task);
  }
  return snapshot;
}

/// Columns of a line whose characters are one wide each, but for those above U+2E80.
std::size_t widthOf(const std::string& line) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < line.size();) {
    const auto byte = static_cast<unsigned char>(line[i]);
    const std::size_t size = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    width += byte >= 0xe3 ? 2 : 1;
    i += size;
  }
  return width;
}

void checkFits(const std::vector<std::string>& lines, const TopSize& size) {
  CHECK(lines.size() <= size.rows);
  for (const auto& line : lines) {
    INFO(line);
    CHECK(widthOf(line) <= size.columns);
  }
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

}  // namespace

TEST_CASE("top fits each size of a terminal, its footer in the last line") {
  for (const auto size : {TopSize{80, 24}, TopSize{40, 10}, TopSize{200, 50}, TopSize{20, 5}}) {
    for (const auto& [nodes, tasks] : {std::pair(0, 0), std::pair(3, 2), std::pair(40, 100)}) {
      const auto lines = renderTop(sample(nodes, tasks), size, TopSort::kRank, "q quit");
      INFO(size.columns << "x" << size.rows << "\n" << joined(lines));
      checkFits(lines, size);
      CHECK(lines.size() == size.rows);
      CHECK(lines.back() == "q quit");
    }
  }
}

TEST_CASE("top counts canceled subtasks among all, not among what is done or left") {
  auto snapshot = sample(1, 1);
  snapshot.tasks[0].counts = {.succeed = 2, .canceled = 8};
  const auto text = joined(renderTop(snapshot, {200, 50}, TopSort::kRank, ""));
  CHECK_THAT(text, Catch::Contains("   2  10  ##........") && !Catch::Contains("##########"));
}

TEST_CASE("top shows nodes and tasks with progress, rate and what is left of the time") {
  const auto text = joined(renderTop(sample(3, 2), {200, 50}, TopSort::kRank, ""));
  INFO(text);
  CHECK_THAT(
      text,
      Catch::Contains("12:00:00  2 of 3 nodes live  2 tasks  3.0 ends/s  owner node-1") ||
          Catch::Contains("12:00:00  2 of 3 nodes live  2 tasks  3 ends/s  owner node-1")
  );
  CHECK_THAT(text, Catch::Contains("node-1 *") && Catch::Contains("gone"));
  CHECK_THAT(text, Catch::Contains("#####.....") && Catch::Contains("1,000") && Catch::Contains("8 min 20 s"));
}

TEST_CASE("top shows failures where there are any, and what is left without seconds that say nothing") {
  auto snapshot = sample(1, 2);
  CHECK_THAT(joined(renderTop(snapshot, {200, 50}, TopSort::kRank, "")), !Catch::Contains("FAILED"));
  snapshot.tasks[1].counts.failed = 7;
  snapshot.tasks[0].counts.pending = 1000;
  snapshot.tasks[0].counts.succeed = snapshot.tasks[0].counts.running = 0;
  snapshot.tasks[0].per_second = 1.0;
  const auto text = joined(renderTop(snapshot, {80, 24}, TopSort::kRank, ""));
  INFO(text);
  CHECK_THAT(text, Catch::Contains("FAILED") && Catch::Contains("16 min") && !Catch::Contains("16 min 40 s"));
}

TEST_CASE("top names hosts of a live TiDB beside the nodes") {
  auto snapshot = sample(1, 1);
  snapshot.is_beside_tidb = true;
  snapshot.nodes.push_back(snapshot.nodes.front());
  snapshot.nodes.back().node.exec_id = "10.0.0.1:4000";
  snapshot.nodes.back().node.life = {};
  snapshot.nodes.back().node.lease_ms = 0;
  snapshot.nodes.back().node.has_meta_row = true;
  const auto text = joined(renderTop(snapshot, {200, 50}, TopSort::kRank, ""));
  INFO(text);
  CHECK_THAT(text, Catch::Contains("1 of 1 nodes live, 1 of TiDB") && Catch::Contains("scheduled by TiDB"));
  CHECK_THAT(text, Catch::Contains("registered"));
}

TEST_CASE("top says how many nodes and tasks there is no room for, and gives nodes a third at most") {
  const auto lines = renderTop(sample(40, 100), {80, 24}, TopSort::kRank, "q");
  const auto text = joined(lines);
  INFO(text);
  CHECK_THAT(text, Catch::Contains("more nodes") && Catch::Contains("more tasks"));
  // Where there are few tasks, nodes get the room.
  CHECK_THAT(joined(renderTop(sample(10, 1), {80, 24}, TopSort::kRank, "q")), !Catch::Contains("more"));
}

TEST_CASE("top keeps wide and control characters from breaking its lines") {
  auto snapshot = sample(1, 1);
  snapshot.tasks[0].task.key = "輸入輸入輸入輸入輸入輸入輸入輸入輸入輸入輸入輸入";
  snapshot.nodes[0].node.exec_id = "a\x1b[2Jb\nc";
  snapshot.trouble = "the store\nis away";
  for (const auto size : {TopSize{80, 24}, TopSize{40, 10}}) {
    const auto lines = renderTop(snapshot, size, TopSort::kRank, "q");
    INFO(joined(lines));
    checkFits(lines, size);
    for (const auto& line : lines) CHECK(line.find_first_of("\x1b\n") == std::string::npos);
    CHECK_THAT(joined(lines), Catch::Contains("! the store is away"));
  }
}

TEST_CASE("Rates are differences of what two looks show, of the same step only") {
  auto before = sample(1, 2);
  auto now = sample(1, 2);
  for (auto& task : now.tasks) task.per_second.reset();
  now.tasks[0].counts.succeed = 700;
  now.tasks[1].task.step = proto::Step(2);
  setRates(now, before, 2);
  CHECK(now.tasks[0].per_second == 100.0);
  CHECK_FALSE(now.tasks[1].per_second);
  // Rows that went back are no negative rate, and no time is no rate.
  now.tasks[0].counts.succeed = 0;
  setRates(now, before, 2);
  CHECK(now.tasks[0].per_second == 0.0);
  CHECK(nextOf(nextOf(nextOf(TopSort::kRank))) == TopSort::kRank);
}

TEST_CASE("top sorts by rank, rate or key") {
  auto snapshot = sample(1, 3);
  snapshot.tasks[0].task.key = "c";
  snapshot.tasks[1].task.key = "a";
  snapshot.tasks[2].task.key = "b";
  const auto order = [&](TopSort sort) {
    std::string keys;
    for (const auto& line : renderTop(snapshot, {200, 50}, sort, "")) {
      for (const char* key : {" a ", " b ", " c "})
        if (line.find("csv_import") != std::string::npos && line.find(key) != std::string::npos) keys += key[1];
    }
    return keys;
  };
  CHECK(order(TopSort::kRank) == "cab");
  CHECK(order(TopSort::kRate) == "bac");
  CHECK(order(TopSort::kKey) == "abc");
}
