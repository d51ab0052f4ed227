#pragma once
#include "disttask/http/http_server.hpp"
#include "node_report.hpp"

#include <functional>
#include <string>

namespace disttask::app {

/// Where the pages get what they show; each is quick and may be called by any thread.
struct PageSources {
  std::function<NodeReport()> report;
  std::function<std::string(const NodeReport&)> metrics;
};

/// Returns the page of a request: /metrics, /livez, /readyz (?verbose), /statusz; others are 404.
[[nodiscard]] http::HttpResponse makePage(const PageSources& sources, const http::HttpRequest& request);

}  // namespace disttask::app
