#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::bench {

/// A measured figure: its repetitions, and what is asked of their median.
struct Figure {
  std::string name;
  std::string unit;
  std::string op;              ///< "<=" or ">=", empty = no goal
  std::optional<double> goal;  ///< of the value
  std::vector<double> samples;
  std::optional<double> value;  ///< when it is no median of the samples
};

[[nodiscard]] double medianOf(std::vector<double> samples);
/// Returns the value at a share of the sorted samples, 0.99 = the 99th percentile (nearest rank).
[[nodiscard]] double percentileOf(std::vector<double> samples, double share);

/// Collects figures; prints each on stderr as it comes, all of them as JSON at the end. Thread-compatible.
class FigureList {
 public:
  void add(Figure figure);
  /// Says something for people: on stderr.
  static void note(std::string_view text);
  /// Returns the list `[{"figure", "value", "unit", "op", "goal", "ok", "min", "max"}, …]`.
  [[nodiscard]] std::string toJson() const;

 private:
  std::vector<Figure> figures_;
};

}  // namespace disttask::bench
