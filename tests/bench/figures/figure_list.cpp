#include "figure_list.hpp"

#include "disttask/base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace disttask::bench {

namespace {

double valueOf(const Figure& figure) {
  return figure.value ? *figure.value : medianOf(figure.samples);
}

bool isMet(const Figure& figure) {
  if (!figure.goal) return true;
  return figure.op == ">=" ? valueOf(figure) >= *figure.goal : valueOf(figure) <= *figure.goal;
}

}  // namespace

double medianOf(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  const auto middle = samples.size() / 2;
  return samples.size() % 2 == 1 ? samples[middle] : (samples.at(middle - 1) + samples[middle]) / 2;
}

double percentileOf(std::vector<double> samples, double share) {
  std::sort(samples.begin(), samples.end());
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(samples.size())));
  return samples.at(std::clamp<std::size_t>(rank, 1, samples.size()) - 1);
}

void FigureList::add(Figure figure) {
  const auto [least, most] = std::minmax_element(figure.samples.begin(), figure.samples.end());
  note(fmt::format(
      "{:32} {:10.3f} {:12} {:2} {:>6}  {}  min {:.3f} max {:.3f} of {}",
      figure.name,
      valueOf(figure),
      figure.unit,
      figure.op,
      figure.goal ? fmt::format("{:g}", *figure.goal) : "-",
      !figure.goal    ? "-   "
      : isMet(figure) ? "ok  "
                      : "MISS",
      *least,
      *most,
      figure.samples.size()
  ));
  figures_.push_back(std::move(figure));
}

void FigureList::note(std::string_view text) {
  fmt::print(stderr, "{}\n", text);
  std::fflush(stderr);
}

std::string FigureList::toJson() const {
  Json::Array list;
  for (const auto& figure : figures_) {
    const auto [least, most] = std::minmax_element(figure.samples.begin(), figure.samples.end());
    list.push_back(Json::Object{
        {"figure", figure.name},
        {"value", valueOf(figure)},
        {"unit", figure.unit},
        {"op", figure.op.empty() ? Json() : Json(figure.op)},
        {"goal", figure.goal ? Json(*figure.goal) : Json()},
        {"ok", isMet(figure)},
        {"min", *least},
        {"max", *most},
    });
  }
  return Json(std::move(list)).dump(2);
}

}  // namespace disttask::bench
