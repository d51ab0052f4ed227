#include "floor_writer.hpp"

#include "disttask/base/random.hpp"
#include "run_log.hpp"

#include <fmt/format.h>

#include <span>
#include <vector>

namespace disttask::bench {

namespace {

using sqlclient::Values;

struct Row {
  std::int64_t id;
  std::int64_t ordinal;
};

std::vector<Row> readPending(BenchStore& store, std::int64_t task_id, const std::string& exec_id, std::int64_t limit) {
  auto found = store.connection().queryDynamic(
      "floor.pending",
      "select id, ordinal from tidb_background_subtask force index (ix_exec)"
      " where exec_id=? and state='pending' and task_key=? and step=1 order by ordinal limit ?",
      Values{exec_id, std::to_string(task_id), limit}
  );
  std::vector<Row> rows;
  while (found.next()) rows.push_back({found.getInt(1), found.getInt(2)});
  return rows;
}

std::string places(std::size_t count) {
  std::string text = "?";
  for (std::size_t i = 1; i < count; ++i) text += ",?";
  return text;
}

/// Binds: for each finish: id, meta; new token; all ids; exec_id; token of the finishes; their ids; task_key; ids of
/// the starts.
std::string mergedText(std::size_t finishes, std::size_t starts) {
  std::string text = "update tidb_background_subtask force index (primary) set ";
  if (finishes > 0) {
    text += "meta=case id";
    for (std::size_t i = 0; i < finishes; ++i) text += " when ? then ?";
    text += " else meta end, ";
  }
  text +=
      "ddl_physical_tid=case state when 'pending' then ? else ddl_physical_tid end,"
      " start_time=case state when 'pending' then unix_timestamp() else start_time end,"
      " end_time=case state when 'running' then current_timestamp() else end_time end,"
      " state_update_time=unix_timestamp(), state=case state when 'pending' then 'running' else 'succeed' end"
      " where id in (" +
      places(finishes + starts) + ") and exec_id=? and (";
  if (finishes > 0) text += "(state='running' and ddl_physical_tid=? and id in (" + places(finishes) + ")) or ";
  return text + "(state='pending' and task_key=? and step=1 and id in (" + places(starts) + ")))";
}

}  // namespace

FloorRun runFloorWriter(
    BenchStore& store, std::int64_t task_id, const std::string& exec_id, std::size_t width, runtime::Duration length
) {
  const auto rows = readPending(store, task_id, exec_id, 400'000);
  const auto connection = sqlclient::Connection::open(store.connect());
  const auto task_key = std::to_string(task_id);
  const std::string first = mergedText(0, width);
  const std::string merged = mergedText(width, width);
  FloorRun result;
  std::span<const Row> running;
  std::int64_t token = 0;
  const auto write = [&](std::span<const Row> starts) {
    Values values;
    for (const auto& row : running) values.insert(values.end(), {row.id, std::string("{}")});
    const auto new_token = randomToken() | 1;
    values.emplace_back(new_token);
    for (const auto& row : running) values.emplace_back(row.id);
    for (const auto& row : starts) values.emplace_back(row.id);
    values.emplace_back(exec_id);
    if (!running.empty()) values.emplace_back(token);
    for (const auto& row : running) values.emplace_back(row.id);
    values.emplace_back(task_key);
    for (const auto& row : starts) values.emplace_back(row.id);
    const auto matched = connection->updateDynamic("floor.write", running.empty() ? first : merged, values);
    if (matched != static_cast<std::int64_t>(running.size() + starts.size())) {
      throw Exception(ErrorCode::kInternal, fmt::format("a write of the floor matched {} rows", matched));
    }
    result.num_finished += static_cast<std::int64_t>(running.size());
    ++result.num_writes;
    running = starts;
    token = new_token;
  };
  std::size_t next = 0;
  const auto take = [&] {
    const auto starts = std::span(rows).subspan(next, width);
    next += width;
    return starts;
  };
  for (int i = 0; i < 20; ++i) write(take());  // warms up
  result = {};
  const auto began = monotonicNs();
  while (next + width <= rows.size() && monotonicNs() - began < length.count()) write(take());
  result.seconds = static_cast<double>(monotonicNs() - began) / 1e9;
  return result;
}

std::vector<double> timeStartUpdates(
    BenchStore& store, std::int64_t task_id, const std::string& exec_id, std::int64_t count
) {
  const auto rows = readPending(store, task_id, exec_id, count);
  const auto connection = sqlclient::Connection::open(store.connect());
  const auto task_key = std::to_string(task_id);
  std::vector<double> times;
  for (const auto& row : rows) {
    const auto began = monotonicNs();
    const auto matched = connection->updateDynamic(
        "floor.start",
        "update tidb_background_subtask force index (primary) set state='running', ddl_physical_tid=?,"
        " start_time=unix_timestamp(), state_update_time=unix_timestamp()"
        " where id=? and exec_id=? and state='pending' and task_key=? and step=? and ordinal=?",
        Values{randomToken() | 1, row.id, exec_id, task_key, std::int64_t{1}, row.ordinal}
    );
    times.push_back(static_cast<double>(monotonicNs() - began) / 1e3);
    if (matched != 1) throw Exception(ErrorCode::kInternal, "a start did not match its row");
  }
  return times;
}

}  // namespace disttask::bench
