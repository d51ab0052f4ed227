#include "output/table.hpp"
#include "output/text.hpp"
#include <catch2/catch.hpp>

#include <sstream>

using namespace disttask::ctl;

namespace {
template <typename T>
std::string printed(const T& printable) {
  std::ostringstream out;
  printable.print(out);
  return out.str();
}
}  // namespace

TEST_CASE("Table aligns columns by what terminals show") {
  Table table({{"NAME"}, {"N", Align::kRight}, {"END"}});
  table.add({"数据", "7", "x"});
  table.add({"ab", "1234", ""});
  CHECK(printed(table) == "NAME     N  END\n数据     7  x\nab    1234\n");
}

TEST_CASE("Table keeps a cell on its line and fills missing ones") {
  Table table({{"A"}, {"B"}});
  table.add({"one\ntwo\ttab"});
  CHECK(printed(table) == "A            B\none two tab\n");
}

TEST_CASE("Table on a narrow terminal shortens what can be spared, and leaves it out when that is not enough") {
  Table table({{"NAME"}, {"STATE"}, {"HOST", Align::kLeft, 2}, {"ERROR", Align::kLeft, 1}});
  table.add({"nightly", "running", "machine-12.example", "数据不对，第七行"});
  Terminal narrow;
  const auto at = [&](std::size_t columns) {
    narrow.columns = columns;
    std::ostringstream out;
    table.print(out, narrow);
    return out.str();
  };
  CHECK(
      at(54) ==
      "NAME     STATE    HOST                ERROR\n"
      "nightly  running  machine-12.example  数据不对，第七行\n"
  );
  CHECK(at(46) == "NAME     STATE    HOST        ERROR\nnightly  running  machine-1…  数据不对，第七行\n");
  CHECK(at(34) == "NAME     STATE    ERROR\nnightly  running  数据不对，第七行\n");
  CHECK(at(27) == "NAME     STATE    ERROR\nnightly  running  数据不对…\n");
  CHECK(at(20) == "NAME     STATE\nnightly  running\n");
  CHECK(at(5) == "NAME     STATE\nnightly  running\n");
}

TEST_CASE("Table shortens every column that can be spared before it leaves one out") {
  Table table({{"ID"}, {"KEY", Align::kLeft, 1}, {"ERROR", Align::kLeft, 2}});
  table.add({"1", "nightly-2026-03-01", "no such file or folder"});
  Terminal narrow;
  narrow.columns = 28;
  std::ostringstream out;
  table.print(out, narrow);
  CHECK(out.str() == "ID  KEY             ERROR\n1   nightly-2026-…  no such…\n");
}

TEST_CASE("Table leaves a column out that would say nothing below its least width") {
  Table table({{"KEY", Align::kLeft, 1, false, 16}, {"BAR", Align::kLeft, 2, false, 10}, {"N", Align::kRight}});
  table.add({"nightly-2026-03-01", "#####.....", "5"});
  Terminal narrow;
  const auto at = [&](std::size_t columns) {
    narrow.columns = columns;
    std::ostringstream out;
    table.print(out, narrow);
    return out.str();
  };
  CHECK(at(33) == "KEY                 BAR         N\nnightly-2026-03-01  #####.....  5\n");
  CHECK(at(31) == "KEY               BAR         N\nnightly-2026-03…  #####.....  5\n");
  CHECK(at(30) == "KEY                 N\nnightly-2026-03-01  5\n");
}

TEST_CASE("Table goes on over several lines where a column may") {
  Table table({{"CODE"}, {"WHY", Align::kLeft, 0, true}});
  table.add({"rank", "it waits for its place behind tasks of higher rank"});
  table.add({"ok", "fine"});
  Terminal narrow;
  narrow.columns = 32;
  std::ostringstream out;
  table.print(out, narrow);
  CHECK(
      out.str() ==
      "CODE  WHY\n"
      "rank  it waits for its place\n"
      "      behind tasks of higher\n"
      "      rank\n"
      "ok    fine\n"
  );
}

TEST_CASE("Table colours states without counting the escapes as columns") {
  Table table({{"STATE"}, {"N", Align::kRight}});
  table.add({stateCell("failed"), "1"});
  table.add({stateCell("unheard-of"), "2"});
  Terminal terminal;
  terminal.has_color = true;
  std::ostringstream out;
  table.print(out, terminal);
  CHECK(out.str() == "STATE       N\n\x1b[31mfailed\x1b[0m      1\nunheard-of  2\n");
}

TEST_CASE("Control characters never reach the terminal, combining ones take no column") {
  CHECK(printable("a\x1b[31mb\x7f\xc2\x9bz\xff") == "a [31mb  z\xEF\xBF\xBD");
  Table table({{"A"}, {"B"}});
  table.add({"e\xCC\x81", "x"});
  table.add({"ee", "y"});
  CHECK(printed(table) == "A   B\ne\xCC\x81   x\nee  y\n");
  CHECK(shorten("e\xCC\x81tude", 3) == "e\xCC\x81t…");
}

TEST_CASE("Lines are broken at spaces, long words anywhere") {
  CHECK(wrapLine("one two three", 7) == std::vector<std::string>{"one two", "three"});
  CHECK(wrapLine("abcdefgh ij", 4) == std::vector<std::string>{"abcd", "efgh", "ij"});
  CHECK(wrapLine("数据不对", 5) == std::vector<std::string>{"数据", "不对"});
  CHECK(wrapLine("", 5) == std::vector<std::string>{""});
  CHECK(wrapLine("wide", 0) == std::vector<std::string>{"wide"});
}

TEST_CASE("Facts indent further lines and leave empty values out") {
  Facts facts;
  facts.add("state", "failed");
  facts.add("took", "");
  facts.add("error", "first\nsecond");
  CHECK(printed(facts) == "state  failed\nerror  first\n       second\n");
}

TEST_CASE("Numbers, spans and times are written for people") {
  CHECK(formatCount(1234567) == "1,234,567");
  CHECK(formatCount(-1234) == "-1,234");
  CHECK(formatCount(999) == "999");
  CHECK(formatShort(812) == "812");
  CHECK(formatShort(999.7) == "1.0k");
  CHECK(formatShort(43120) == "43.1k");
  CHECK(formatShort(1234567) == "1.2M");
  CHECK(formatSpan(std::chrono::seconds(4)) == "4 s");
  CHECK(formatSpan(std::chrono::seconds(125)) == "2 min 5 s");
  CHECK(formatSpan(std::chrono::seconds(12000)) == "3 h 20 min");
  CHECK(formatSpan(std::chrono::hours(24)) == "24 h");
  CHECK(formatSpan(std::chrono::minutes(5)) == "5 min");
  CHECK(formatSpan(std::chrono::hours(8 * 24)) == "8 d");
  CHECK(formatSpan(std::chrono::hours(50)) == "2 d 2 h");
  CHECK(disttask::formatIsoTime(1772364605) == "2026-03-01T11:30:05Z");
  CHECK(disttask::formatIsoTime(0).empty());
  CHECK(formatRelative(0, 100).empty());
  CHECK(formatRelative(100, 100) == "now");
  CHECK(formatRelative(41, 100) == "59 s ago");
  CHECK(formatRelative(100, 280) == "3 min ago");
  CHECK(formatRelative(100, 100 + 47 * 3600) == "47 h ago");
  CHECK(formatRelative(100, 100 + 49 * 3600) == "2 d ago");
  CHECK(formatRelative(105, 100) == "in 5 s");
  CHECK(formatNumber(1, "subtask") == "1 subtask");
  CHECK(formatNumber(1200, "subtask") == "1,200 subtasks");
}
