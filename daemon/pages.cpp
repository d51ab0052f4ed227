#include "pages.hpp"

#include "disttask/observability/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace disttask::app {
namespace {

constexpr int kUnavailable = 503;

bool asksForMore(const std::string& query) {
  return query == "verbose" || query.rfind("verbose=", 0) == 0 || query.rfind("verbose&", 0) == 0;
}

http::HttpResponse liveness(const NodeReport& report) {
  if (report.still_loops.empty()) return {.body = "ok\n"};
  return {.status = kUnavailable, .body = fmt::format("stand still: {}\n", fmt::join(report.still_loops, ", "))};
}

http::HttpResponse readinessPage(const NodeReport& report, bool verbose) {
  const auto checks = readiness(report);
  const bool ready =
      std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.trouble.empty(); });
  http::HttpResponse response;
  response.status = ready ? 200 : kUnavailable;
  // What fails is always named; what holds only on demand.
  for (const auto& check : checks) {
    if (!check.trouble.empty()) {
      response.body += fmt::format("[-] {}: {}\n", check.name, check.trouble);
    } else if (verbose) {
      response.body += fmt::format("[+] {}\n", check.name);
    }
  }
  response.body += ready ? "ok\n" : "not ready\n";
  return response;
}

}  // namespace

http::HttpResponse makePage(const PageSources& sources, const http::HttpRequest& request) {
  const auto report = sources.report();
  if (request.path == "/livez") return liveness(report);
  if (request.path == "/readyz") return readinessPage(report, asksForMore(request.query));
  if (request.path == "/statusz") {
    return {.content_type = "application/json", .body = toJson(report).dump(2) + "\n"};
  }
  if (request.path == "/metrics") {
    return {.content_type = observability::Metrics::contentType(), .body = sources.metrics(report)};
  }
  const bool root = request.path == "/";
  return {.status = root ? 200 : 404, .body = "/livez\n/metrics\n/readyz?verbose\n/statusz\n/why?task=NAME\n"};
}

}  // namespace disttask::app
