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
  CHECK(disttask::formatIsoTime(1772364605) == "2026-03-01T11:30:05Z");
  CHECK(disttask::formatIsoTime(0).empty());
  CHECK(formatTime(0).empty());
}
