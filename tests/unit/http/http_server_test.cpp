#include "disttask/http/http_server.hpp"

#include "disttask/base/error.hpp"
#include "raw_client.hpp"

#include <catch2/catch.hpp>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <vector>

using namespace disttask;
using namespace disttask::test;
using http::HttpServer;

namespace {

http::HttpResponse makeEcho(const http::HttpRequest& request) {
  if (request.path == "/broken") throw std::runtime_error("secret words");
  http::HttpResponse response;
  response.body = request.path + "|" + request.query + "\n";
  return response;
}

const auto echo = http::atOnce(makeEcho);

}  // namespace

TEST_CASE("HttpServer answers GET and HEAD and closes") {
  HttpServer server("localhost", 0, echo);
  REQUIRE(server.port() != 0);
  const auto page = get(server.port(), "/x?verbose=1");
  CHECK_THAT(page, Catch::StartsWith("HTTP/1.1 200 OK\r\n") && Catch::EndsWith("\r\n\r\n/x|verbose=1\n"));
  CHECK_THAT(page, Catch::Contains("Content-Length: 13\r\n") && Catch::Contains("Connection: close\r\n"));
  const auto head = ask(server.port(), "HEAD /x HTTP/1.1\r\n\r\n");
  CHECK_THAT(head, Catch::Contains("Content-Length: 4\r\n") && Catch::EndsWith("\r\n\r\n"));
}

TEST_CASE("HttpServer refuses what could change something, bodies, and what is no HTTP") {
  HttpServer server("127.0.0.1", 0, echo);
  const auto status = [&](const std::string& request) { return ask(server.port(), request).substr(9, 3); };
  CHECK(status("POST / HTTP/1.1\r\n\r\n") == "405");
  CHECK(status("DELETE /x HTTP/1.1\r\n\r\n") == "405");
  CHECK_THAT(ask(server.port(), "PUT / HTTP/1.1\r\n\r\n"), Catch::Contains("Allow: GET, HEAD\r\n"));
  CHECK(status("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello") == "413");
  CHECK(status("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n") == "413");
  CHECK(status("GET / HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n") == "431");
  CHECK(status("\x16\x03\x01 no http at all\r\n\r\n") == "400");
  CHECK(status("GET / HTTP/9\r\n\r\n") == "400");
  CHECK(status("GET /still HTTP/1.1\r\n\r\n") == "200");
}

TEST_CASE("HttpServer shows nothing of what went wrong in a page") {
  HttpServer server("127.0.0.1", 0, echo);
  const auto page = get(server.port(), "/broken");
  CHECK_THAT(page, Catch::StartsWith("HTTP/1.1 500 ") && !Catch::Contains("secret"));
}

TEST_CASE("HttpServer serves so many connections at a time, and a slow client only for its time") {
  http::HttpLimits limits;
  limits.max_connections = 2;
  limits.time_limit = std::chrono::milliseconds(1500);
  HttpServer server("127.0.0.1", 0, echo, limits);
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 2; ++i) slow.push_back(std::make_unique<RawClient>(server.port()));
  for (const auto& client : slow) client->send("GET / HT");
  RawClient third(server.port());  // the kernel takes it, the server does not yet
  third.send("GET /third HTTP/1.1\r\n\r\n");
  CHECK_FALSE(third.hasAnswer(std::chrono::milliseconds(300)));
  CHECK_THAT(third.readAll(), Catch::Contains("/third|"));
  for (const auto& client : slow) CHECK(client->readAll().empty());  // closed without an answer
}

TEST_CASE("HttpServer says which address it cannot have") {
  HttpServer first("127.0.0.1", 0, echo);
  const auto port = std::to_string(first.port());
  CHECK_THROWS_WITH(
      HttpServer("127.0.0.1", first.port(), echo),
      Catch::Contains("cannot listen on 127.0.0.1:" + port + " (HTTP): ") && Catch::Contains("in use")
  );
  CHECK_THROWS_AS(HttpServer("203.0.113.1", 0, echo), Exception);
  CHECK_THROWS_WITH(HttpServer("no address", 0, echo), Catch::Contains("no address:0"));
}

TEST_CASE("HttpServer stops while clients are there, and its port is free then") {
  auto server = std::make_unique<HttpServer>("127.0.0.1", 0, echo);
  const auto port = server->port();
  RawClient idle(port);
  idle.send("GET /");
  CHECK_THAT(get(port, "/a"), Catch::Contains("/a|"));
  server->stop();
  server->stop();
  HttpServer again("127.0.0.1", port, echo);
  server.reset();
  CHECK(idle.readAll().empty());
  CHECK_THAT(get(port, "/b"), Catch::Contains("/b|"));
}

TEST_CASE("HttpServer sends an answer that comes later, from another thread, and serves others meanwhile") {
  http::Respond later;
  std::mutex mutex;
  std::condition_variable changed;
  HttpServer server("127.0.0.1", 0, [&](const http::HttpRequest& request, const http::Respond& respond) {
    if (request.path != "/later") return respond(makeEcho(request));
    const std::lock_guard lock(mutex);
    later = respond;
    changed.notify_all();
  });
  RawClient waits(server.port());
  waits.send("GET /later HTTP/1.1\r\n\r\n");
  {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, std::chrono::seconds(30), [&] { return static_cast<bool>(later); }));
  }
  CHECK_THAT(get(server.port(), "/x"), Catch::Contains("/x|"));
  later({.body = "first\n"});
  later({.body = "second\n"});
  CHECK_THAT(waits.readAll(), Catch::EndsWith("\r\n\r\nfirst\n"));
}

TEST_CASE("HttpServer sends 500 when nobody is left who could answer") {
  HttpServer server("127.0.0.1", 0, [](const http::HttpRequest&, const http::Respond&) {});
  CHECK_THAT(get(server.port(), "/x"), Catch::StartsWith("HTTP/1.1 500 "));
}

TEST_CASE("A value of a query is found by its key and decoded") {
  using http::queryValue;
  CHECK(queryValue("task=a&subtask=7", "task") == "a");
  CHECK(queryValue("task=a&subtask=7", "subtask") == "7");
  CHECK(queryValue("task=na%C3%AFve+key%26%3D", "task") == "na\u00efve key&=");
  CHECK(queryValue("task", "task") == "");
  CHECK(queryValue("task=a=b", "task") == "a=b");
  CHECK(queryValue("task=1&task=2", "task") == "1");
  for (const auto* wrong : {"", "x=1", "taska=1", "task=%", "task=%4", "task=%zz", "&&"}) {
    INFO(wrong);
    CHECK_FALSE(queryValue(wrong, "task"));
  }
}
