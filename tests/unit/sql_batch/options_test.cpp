#include "batch_options.hpp"
#include "disttask/base/error.hpp"
#include "plugin_config.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace disttask;
using namespace disttask::sql_batch;

namespace {

std::string meta(const std::string& more) {
  return R"({"connection": "c", "table": "s.t", "statement": "delete from t where {range}")" +
         (more.empty() ? "" : ", " + more) + "}";
}

std::string refusal(const std::string& text) {
  try {
    static_cast<void>(parseOptions(text));
  } catch (const Exception& exception) {
    return exception.error().message();
  }
  return {};
}

}  // namespace

TEST_CASE("A meta with every member is understood, and its work is written and read again") {
  const auto options = parseOptions(meta(
      R"("key": "uk", "chunk_rows": 10, "chunk_time": "1.5s", "max_lag": "3s", "replicas": ["r"], "max_load": {"Threads_running": 5},
      "critical_load": {"Threads_running": 9}, "sleep_ratio": 0.5, "window": "22:00-05:30", "subtask_rows": 7,
      "archive": {"table": "a.b", "connection": "d"}, "allow": ["triggers"])"
  ));
  CHECK(options.work.table == TableName{"s", "t"});
  CHECK(options.work.archive->connection == "d");
  CHECK(options.throttle.chunk_time_ms == 1500);
  CHECK(options.throttle.max_lag_ms == 3000);
  CHECK(options.throttle.window->contains(23 * 3600));
  CHECK(options.throttle.window->contains(5 * 3600));
  CHECK_FALSE(options.throttle.window->contains(12 * 3600));
  CHECK(options.throttle.window->toString() == "22:00-05:30");
  CHECK(parseWork(options.work.toJson().dump()).toJson() == options.work.toJson());
}

TEST_CASE("Each wrong member is named with what was found and what was expected") {
  CHECK(refusal("{}") == "connection: missing");
  CHECK(refusal(R"({"connection": "c"})") == "table: missing");
  CHECK(refusal(R"({"connection": "c", "table": "t"})") == "table: expected SCHEMA.TABLE, found 't'");
  CHECK_THAT(refusal(meta(R"("chunk_row": 1)")), Catch::StartsWith("chunk_row: no such key; expected connection, "));
  CHECK(refusal(meta(R"("chunk_rows": 0)")) == "chunk_rows: expected 1 to 10000000, found 0");
  CHECK(
      refusal(meta(R"("chunk_time": "5")")) ==
      "chunk_time: expected a time such as '500ms' or '2s', a day at most, found '5'"
  );
  CHECK(refusal(meta(R"("max_lag": "5s")")) == "max_lag: needs replicas, the names of their connections");
  CHECK(refusal(meta(R"("replicas": ["r"])")) == "replicas: need max_lag, such as '5s'");
  CHECK(
      refusal(meta(R"("window": "1:00-5:00")")) == "window: expected two times such as '01:00-05:00', found '1:00-5:00'"
  );
  CHECK(
      refusal(meta(R"("window": "01:00-01:00")")) ==
      "window: expected two times such as '01:00-05:00', found '01:00-01:00'"
  );
  CHECK(refusal(meta(R"("max_load": {"a b": 1})")) == "max_load: 'a b' is not the name of a status variable");
  CHECK(
      refusal(meta(R"("max_load": {"X": 5}, "critical_load": {"X": 4})")) == "critical_load.X: 4 is below max_load, 5"
  );
  CHECK(refusal(meta(R"("sleep_ratio": -1)")) == "sleep_ratio: expected 0 to 100");
  CHECK(refusal(meta(R"("archive": {})")) == "archive: expected either table or file");
  CHECK(refusal(meta(R"("archive": {"file": "x"})")) == "archive.file: expected an absolute path, found 'x'");
  CHECK(refusal(meta(R"("archive": {"table": "s.t"})")) == "archive.table: is the table that rows are deleted from");
  CHECK(refusal(meta(R"("allow": ["all"])")) == "allow: expected triggers, cascades, full_scan, found 'all'");
  CHECK_THAT(
      refusal(
          R"({"connection": "c", "table": "s.t", "statement": "update t set a = 1 where {range}", "archive": {"table": "s.u"}})"
      ),
      Catch::StartsWith("archive: goes with a DELETE")
  );
}

TEST_CASE("The configuration names directories for archives") {
  CHECK(parseConfig(R"({"archive_dirs": ["/a"], "ledger_days": 3})").archive_dirs.front() == "/a");
  CHECK_THROWS_WITH(
      parseConfig(R"({"archive_dirs": ["a"]})"),
      "plugins.config.sql_batch.archive_dirs[0]: expected an absolute path, found 'a'"
  );
  CHECK_THROWS_WITH(
      parseConfig(R"({"x": 1})"), "plugins.config.sql_batch.x: no such key; expected archive_dirs, ledger_days"
  );
}
