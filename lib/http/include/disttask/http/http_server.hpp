#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace disttask::http {

/// What somebody asks for.
struct HttpRequest {
  std::string path;   ///< such as /metrics, without the query
  std::string query;  ///< what follows '?', as it was sent
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

/// What one server spends on its clients.
struct HttpLimits {
  std::size_t max_connections = 16;              ///< at a time; more of them wait in the kernel's queue
  std::size_t max_header_bytes = 8 << 10;        ///< of a request; a longer one gets 431
  std::chrono::milliseconds time_limit{10'000};  ///< from accept to the last byte of the answer, then it is closed
};

/// Sends the answer of one request; the first call counts. At once or later, by any thread, but not once the server is
/// being stopped: whoever answers later ends its jobs before. When none is left and nobody called it, a 500 is sent.
using Respond = std::function<void(HttpResponse)>;

/// A small HTTP/1.1 server for looking only: GET and HEAD, no bodies, one request a connection. What changes state has
/// no place here. One thread of its own, on which the handler runs too: it must not block. Any thread may call.
class HttpServer {
 public:
  using Handler = std::function<void(const HttpRequest&, Respond)>;

  /// Binds `host:port` (host numeric or "localhost"; port 0 = any), then starts the thread. Throws kUnsupported with
  /// the address and the system's reason when it cannot. What the handler throws becomes a 500 without details.
  HttpServer(const std::string& host, std::uint16_t port, Handler handler, HttpLimits limits = {});
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  /// Returns the bound port.
  [[nodiscard]] std::uint16_t port() const noexcept;
  /// Closes all connections and joins the thread. Idempotent; not from the handler.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A handler that answers each request at once.
[[nodiscard]] inline HttpServer::Handler atOnce(std::function<HttpResponse(const HttpRequest&)> make) {
  return [make = std::move(make)](const HttpRequest& request, const Respond& respond) { respond(make(request)); };
}

/// Returns the value of a key in a query such as `a=1&b=x%20y`, decoded; nothing when it is not there or its percent
/// signs are wrong. A key alone has an empty value. The first one counts.
[[nodiscard]] std::optional<std::string> queryValue(std::string_view query, std::string_view key);

}  // namespace disttask::http
