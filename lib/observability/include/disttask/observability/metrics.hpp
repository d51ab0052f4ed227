#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace disttask::observability {

/// A number that only grows. A handle; any thread; the Metrics outlive it.
class Counter {
 public:
  explicit Counter(prometheus::Counter& inner) : inner_(&inner) {}
  void add(double amount = 1) noexcept;
  /// Makes it what somebody else has counted so far; nothing when it is that or more. One thread at a time.
  void raiseTo(double total) noexcept;

 private:
  prometheus::Counter* inner_;
};

/// A number that goes up and down.
class Gauge {
 public:
  explicit Gauge(prometheus::Gauge& inner) : inner_(&inner) {}
  void set(double value) noexcept;

 private:
  prometheus::Gauge* inner_;
};

/// How often values fell below each bound, and their sum.
class Histogram {
 public:
  explicit Histogram(prometheus::Histogram& inner) : inner_(&inner) {}
  void observe(double value) noexcept;

 private:
  prometheus::Histogram* inner_;
};

/// The metrics of one process, in Prometheus' text form. Each series is made before it counts, so that it is there with
/// 0 from the start. Any thread.
class Metrics {
 public:
  using Labels = std::map<std::string, std::string>;

  Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;
  ~Metrics();

  // The same name and labels give the same series. `help` belongs to the name: the first one counts.
  [[nodiscard]] Counter counter(const std::string& name, const std::string& help, const Labels& labels = {});
  [[nodiscard]] Gauge gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  /// `bounds` ascend; one above all of them is added.
  [[nodiscard]] Histogram histogram(
      const std::string& name, const std::string& help, const std::vector<double>& bounds, const Labels& labels = {}
  );

  /// Writes all of them (text format 0.0.4), ordered by name.
  [[nodiscard]] std::string text() const;
  /// Returns the content type of that text.
  [[nodiscard]] static std::string contentType();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace disttask::observability
