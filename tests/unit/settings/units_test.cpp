#include "disttask/settings/units.hpp"

#include "disttask/settings/endpoint_text.hpp"
#include "disttask/settings/nearest_name.hpp"

#include <catch2/catch.hpp>

using namespace disttask::settings;
using namespace std::chrono_literals;

TEST_CASE("parseDuration reads every unit") {
  CHECK(parseDuration("300ms").value() == 300ms);
  CHECK(parseDuration("30s").value() == 30s);
  CHECK(parseDuration("1.5s").value() == 1500ms);
  CHECK(parseDuration("5m").value() == 5min);
  CHECK(parseDuration("2 h").value() == 2h);
  CHECK(parseDuration("1d").value() == 24h);
  CHECK(parseDuration("0").value() == 0ms);
}

TEST_CASE("parseDuration says what to write instead") {
  CHECK(parseDuration("300").error().message() == "needs a unit, such as 300ms");
  CHECK(parseDuration("300 sec").error().message() == "has the unit 'sec', expected one of ms, s, m, h, d");
  CHECK(parseDuration("soon").error().message() == "expected a length of time such as 300ms");
  CHECK(parseDuration("").error().message() == "expected a length of time such as 300ms");
  CHECK(parseDuration("-1s").error().message() == "expected a length of time such as 300ms");
  CHECK(parseDuration("99999999999999d").error().message() == "is too large");
  CHECK(parseDuration("nan").error().message() == "expected a length of time such as 300ms");
  CHECK(parseDuration("infd").error().message() == "is too large");
}

TEST_CASE("A length of time is as long in nanoseconds") {
  const auto longest = parseDuration("104166d").value();
  CHECK(std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::nanoseconds(longest)) == longest);
  for (const auto* text : {"104167d", "106752d", "999999d", "9000000000001ms"}) {
    INFO(text);
    CHECK(parseDuration(text).error().message() == "is too large");
  }
}

TEST_CASE("parseSize reads binary units and wants one") {
  CHECK(parseSize("4MiB").value() == 4 << 20);
  CHECK(parseSize("64KiB").value() == 64 << 10);
  CHECK(parseSize("512B").value() == 512);
  CHECK(parseSize("512").error().message() == "needs a unit, such as 512MiB");
  CHECK(parseSize("4MB").error().message() == "has the unit 'MB', expected one of B, KiB, MiB, GiB, TiB");
}

TEST_CASE("formatDuration and formatSize write what the parsers read") {
  for (const auto value : {0ms, 1ms, 1500ms, 30'000ms, 90'000ms, 86'400'000ms})
    CHECK(parseDuration(formatDuration(value)).value() == value);
  CHECK(formatDuration(90s) == "90s");
  CHECK(formatSize(4 << 20) == "4MiB");
  CHECK(formatSize(1000) == "1000B");
}

TEST_CASE("parseEndpoint tells hosts, ports, v6 addresses and sockets apart") {
  CHECK(parseEndpoint("db")->port == 3306);
  CHECK(parseEndpoint("db:4000")->port == 4000);
  CHECK(parseEndpoint("[::1]:4000")->host == "::1");
  CHECK(parseEndpoint("/run/s.sock")->socket == "/run/s.sock");
  CHECK(toString(*parseEndpoint("[::1]:4000")) == "[::1]:4000");
  for (const auto* wrong : {"", "db:", "db:x", "db:70000", "::1", "[::1", "a b", ":3306"}) {
    INFO(wrong);
    CHECK_FALSE(parseEndpoint(wrong));
  }
}

TEST_CASE("nearestName finds slips and stays silent when nothing is near") {
  const std::vector<std::string> known{"slots", "scope", "state_dir", "lease"};
  CHECK(nearestName("slot", known) == "slots");
  CHECK(nearestName("solts", known) == "slots");
  CHECK(nearestName("statedir", known) == "state_dir");
  CHECK(nearestName("colour", known).empty());
}
