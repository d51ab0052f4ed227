#include "disttask/observability/log.hpp"

#include "disttask/base/json.hpp"
#include "disttask/observability/log_capture.hpp"
#include "disttask/runtime/thread_group.hpp"

#include "support/child_process.hpp"
#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <map>
#include <set>

using namespace disttask;
using namespace disttask::observability;

namespace {

using TaskId = StrongId<struct TaskIdTag, std::int64_t>;

// What the child processes of these tests do; stderr of a child is a file of its own.
const std::map<std::string, std::function<void()>>& scripts() {
  static const std::map<std::string, std::function<void()>> all = {
      {"text",
       [] {
         log(Level::kInfo, "task started", {{"task_id", TaskId(42)}, {"cause", "a b"}, {"empty", ""}, {"ok", true}});
         log(Level::kDebug, "too low");
         log(Level::kError, "two\nlines", {{"value", "x\ty\"z\\\x01"}, {"plain", "a:b/c,d"}, {"equals", "a=b"}});
       }},
      {"json",
       [] {
         configureLog({.level = Level::kDebug, .format = Format::kJson});
         log(Level::kDebug,
             "with \"quotes\"",
             {{"rows", 7}, {"rate", 1.5}, {"ok", false}, {"text", "7\n"}, {"bad", "\xFF"}});
       }},
      {"asked",
       [] {
         configureLog({.level = Level::kError});
         log(Level::kInfo, "too low");
         const Field field("task_id", 7);
         logAsked("a person wants it", std::span<const Field>(&field, 1));
       }},
      {"journal",
       [] {
         configureLog({.level = Level::kDebug, .to_journal = true});
         log(Level::kDebug, "d", {{"k", 1}});
         log(Level::kInfo, "i");
         log(Level::kWarn, "w");
         log(Level::kError, "e");
       }},
      {"json journal",
       [] {
         configureLog({.format = Format::kJson, .to_journal = true});
         log(Level::kWarn, "w", {{"k", 1}});
       }},
      {"level",
       [] {
         setLevel(Level::kError);
         log(Level::kWarn, "dropped");
         setLevel(Level::kWarn);
         log(Level::kWarn, "kept");
       }},
      {"threads",
       [] {
         runtime::ThreadGroup threads;
         for (int i = 0; i < 4; ++i) {
           threads.spawn("logs", [i] {
             for (int j = 0; j < 200; ++j) log(Level::kInfo, "line", {{"thread", i}, {"number", j}, {"end", "."}});
           });
         }
         for (int i = 0; i < 50; ++i) configureLog({.level = Level::kInfo});
       }},
  };
  return all;
}

std::vector<std::string> linesOf(const std::string& script) {
  const auto self = std::filesystem::read_symlink("/proc/self/exe").string();
  test::ChildProcess child({self, "[.child]"}, {{"LOG_SCRIPT", script}});
  const auto end = child.wait();
  REQUIRE(end);
  REQUIRE(end->exit_code == 0);
  std::vector<std::string> lines;
  std::string line;
  for (const char c : child.errors()) {
    if (c == '\n') {
      lines.push_back(line);
      line.clear();
    } else {
      line += c;
    }
  }
  CHECK(line.empty());
  return lines;
}

// True for a text such as 2026-11-24T07:00:00.123Z.
bool isTime(std::string_view text) {
  constexpr std::string_view kPattern = "0000-00-00T00:00:00.000Z";
  if (text.size() != kPattern.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kPattern[i] == '0' ? !digit : text[i] != kPattern[i]) return false;
  }
  return true;
}

std::string withoutTime(const std::string& line) {
  CHECK(isTime(line.substr(0, 24)));
  return line.size() > 25 ? line.substr(25) : line;
}

}  // namespace

TEST_CASE("child: runs a log script", "[.child]") {
  scripts().at(std::getenv("LOG_SCRIPT"))();
}

TEST_CASE("A text line has time, level, message and fields, quoted when they must be", "[observability][log]") {
  const auto lines = linesOf("text");
  REQUIRE(lines.size() == 2);
  CHECK(withoutTime(lines[0]) == R"(INFO task started task_id=42 cause="a b" empty="" ok=true)");
  CHECK(withoutTime(lines[1]) == R"(ERROR two\nlines value="x\ty\"z\\\x01" plain=a:b/c,d equals="a=b")");
}

TEST_CASE("A JSON line is one object with the same fields", "[observability][log]") {
  const auto lines = linesOf("json");
  REQUIRE(lines.size() == 1);
  const auto line = Json::parse(lines[0]);
  CHECK(isTime(line.find("time")->asString()));
  CHECK(line.find("level")->asString() == "debug");
  CHECK(line.find("message")->asString() == "with \"quotes\"");
  CHECK(line.find("rows")->asInt() == 7);
  CHECK(line.find("rate")->asDouble() == 1.5);
  CHECK_FALSE(line.find("ok")->asBool());
  CHECK(line.find("text")->asString() == "7\n");
  CHECK(line.find("bad")->asString() == "\xEF\xBF\xBD");
}

TEST_CASE("A line for the journal has a priority and no time", "[observability][log]") {
  CHECK(linesOf("journal") == std::vector<std::string>{"<7>d k=1", "<6>i", "<4>w", "<3>e"});
  CHECK(linesOf("json journal") == std::vector<std::string>{R"(<4>{"level":"warn","message":"w","k":1})"});
}

TEST_CASE("The level of the process can be set at any time", "[observability][log]") {
  const auto lines = linesOf("level");
  REQUIRE(lines.size() == 1);
  CHECK(withoutTime(lines[0]) == "WARN kept");
}

TEST_CASE("Lines of many threads stay whole", "[observability][log][race]") {
  const auto lines = linesOf("threads");
  CHECK(lines.size() == 800);
  std::set<std::string> different;
  for (const auto& line : lines) different.insert(line.size() > 25 ? line.substr(25) : line);
  std::set<std::string> expected;
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 200; ++j) {
      expected.insert("INFO line thread=" + std::to_string(i) + " number=" + std::to_string(j) + " end=.");
    }
  }
  CHECK(different == expected);
}

TEST_CASE("A capture takes lines of all levels and of all threads while it lives", "[observability][log]") {
  CHECK_FALSE(isEnabled(Level::kDebug));
  {
    LogCapture capture;
    CHECK(isEnabled(Level::kDebug));
    {
      runtime::ThreadGroup threads;
      threads.spawn("logs", [] { log(Level::kDebug, "from a thread", {{"subtask_id", 9}}); });
    }
    log(Level::kInfo, "other");
    REQUIRE(capture.count("from a thread") == 1);
    const auto record = capture.records("from a thread").front();
    CHECK(record.level == Level::kDebug);
    CHECK(record.value("subtask_id") == "9");
    CHECK(record.value("absent").empty());
    CHECK(capture.records().size() == 2);
  }
  CHECK_FALSE(isEnabled(Level::kDebug));
}

TEST_CASE("An error is logged with its code, reaction and store number", "[observability][log]") {
  LogCapture capture;
  log(Level::kWarn, "write failed", Error(ErrorCode::kStoreConflict, "deadlock").setStoreNumber(1213), {{"task_id", 1}}
  );
  log(Level::kWarn, "write failed", Error(ErrorCode::kLost, "not ours"));
  const auto records = capture.records("write failed");
  REQUIRE(records.size() == 2);
  CHECK(records[0].value("task_id") == "1");
  CHECK(records[0].value("error") == "deadlock");
  CHECK(records[0].value("code") == "store_conflict");
  CHECK(records[0].value("reaction") == "retry");
  CHECK(records[0].value("store_number") == "1213");
  CHECK(records[1].value("store_number").empty());
}

TEST_CASE("Levels have texts and read back", "[observability][log]") {
  for (const auto level : {Level::kDebug, Level::kInfo, Level::kWarn, Level::kError}) {
    CHECK(parseLevel(toString(level)) == level);
  }
  CHECK_FALSE(parseLevel("INFO"));
  CHECK_FALSE(parseLevel(""));
}

TEST_CASE("Stderr is the journal only if JOURNAL_STREAM names it", "[observability][log]") {
  struct ::stat status {};
  REQUIRE(::fstat(STDERR_FILENO, &status) == 0);
  const auto name = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
  const auto other = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino + 1);
  CHECK(isStderrJournal(name.c_str()));
  CHECK_FALSE(isStderrJournal(other.c_str()));
  CHECK_FALSE(isStderrJournal("x"));
  CHECK_FALSE(isStderrJournal(""));
  CHECK_FALSE(isStderrJournal(nullptr));
}

TEST_CASE("What a person has asked for is written whatever the level is", "[observability][log]") {
  const auto lines = linesOf("asked");
  REQUIRE(lines.size() == 1);
  CHECK(withoutTime(lines[0]) == "INFO a person wants it task_id=7");
}
