#include "figure_list.hpp"

#include "disttask/base/json.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::bench;

TEST_CASE("the median of an even number of samples lies between the middle two") {
  CHECK(medianOf({4, 1, 3, 2}) == Approx(2.5));
  CHECK(medianOf({9, 1, 5}) == Approx(5));
}

TEST_CASE("a percentile is the smallest sample that so many do not exceed") {
  std::vector<double> samples;
  for (int i = 200; i >= 1; --i) samples.push_back(i);
  CHECK(percentileOf(samples, 0.99) == Approx(198));
  CHECK(percentileOf(samples, 0.5) == Approx(100));
  CHECK(percentileOf({7}, 0.99) == Approx(7));
}

TEST_CASE("a figure is written with its median, its spread and whether the goal is met") {
  FigureList list;
  list.add({"ratio", "x", ">=", 5, {4, 6, 5.5}, {}});
  list.add({"delay", "ms", "<=", 20, {10, 40}, 30});
  list.add({"rate", "1/s", "", {}, {3}, {}});
  const auto figures = Json::parse(list.toJson());
  REQUIRE(figures.asArray().size() == 3);
  const auto& ratio = figures.asArray()[0];
  CHECK(ratio.find("figure")->asString() == "ratio");
  CHECK(ratio.find("value")->asDouble() == Approx(5.5));
  CHECK(ratio.find("min")->asDouble() == Approx(4));
  CHECK(ratio.find("max")->asDouble() == Approx(6));
  CHECK(ratio.find("op")->asString() == ">=");
  CHECK(ratio.find("ok")->asBool());
  const auto& delay = figures.asArray()[1];
  CHECK(delay.find("value")->asDouble() == Approx(30));
  CHECK_FALSE(delay.find("ok")->asBool());
  const auto& rate = figures.asArray()[2];
  CHECK(rate.find("goal")->isNull());
  CHECK(rate.find("op")->isNull());
  CHECK(rate.find("ok")->asBool());
}
