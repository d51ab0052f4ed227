// The only source that sees prometheus-cpp.
#include "disttask/observability/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <sstream>

namespace disttask::observability {

void Counter::add(double amount) noexcept {
  inner_->Increment(amount);
}
void Counter::raiseTo(double total) noexcept {
  const double more = total - inner_->Value();
  if (more > 0) inner_->Increment(more);
}
void Gauge::set(double value) noexcept {
  inner_->Set(value);
}
void Histogram::observe(double value) noexcept {
  inner_->Observe(value);
}

struct Metrics::Impl {
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter Metrics::counter(const std::string& name, const std::string& help, const Labels& labels) {
  return Counter(prometheus::BuildCounter().Name(name).Help(help).Register(impl_->registry).Add(labels));
}

Gauge Metrics::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  return Gauge(prometheus::BuildGauge().Name(name).Help(help).Register(impl_->registry).Add(labels));
}

Histogram Metrics::histogram(
    const std::string& name, const std::string& help, const std::vector<double>& bounds, const Labels& labels
) {
  return Histogram(prometheus::BuildHistogram().Name(name).Help(help).Register(impl_->registry).Add(labels, bounds));
}

std::string Metrics::text() const {
  auto families = impl_->registry.Collect();
  std::sort(families.begin(), families.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return out.str();
}

std::string Metrics::contentType() {
  return "text/plain; version=0.0.4; charset=utf-8";
}

}  // namespace disttask::observability
