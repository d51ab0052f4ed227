// Beside request_head.cpp the only source that sees Boost.Beast.
#include "disttask/http/http_server.hpp"

#include "disttask/base/error.hpp"
#include "disttask/runtime/thread_group.hpp"
#include "request_head.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <fcntl.h>

#include <array>
#include <atomic>
#include <utility>

namespace disttask::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

namespace {

// After a failed accept, such as for want of file descriptors.
constexpr auto kAcceptPause = std::chrono::seconds(1);

/// Programs that a plugin starts have no business with our sockets.
void closeOnExec(int socket) {
  ::fcntl(socket, F_SETFD, FD_CLOEXEC);
}

asio::ip::address parseHost(const std::string& host, error_code& failure) {
  if (host == "localhost") return asio::ip::address_v4::loopback();
  return asio::ip::make_address(host, failure);
}

}  // namespace

struct HttpServer::Impl {
  class Connection;

  Impl(Handler handler_in, HttpLimits limits_in) : handler(std::move(handler_in)), limits(limits_in) {}

  void accept();
  void connectionEnded();
  void ask(const HttpRequest& request, const Respond& respond) const;

  const Handler handler;
  const HttpLimits limits;
  std::size_t num_connections = 0;  // touched by the loop's thread only, as the next two
  bool accepting = false;
  bool closed = false;
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  Tcp::acceptor acceptor{io};
  asio::steady_timer pause{io};
  std::uint16_t port = 0;
  runtime::ThreadGroup threads;  // last: its thread uses the members above
};

/// One connection: one request, one answer, then it is closed.
class HttpServer::Impl::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Impl& server, Tcp::socket socket) : server_(server), stream_(std::move(socket)) {
    limitRequest(parser_, server.limits);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { server_.connectionEnded(); }

  void run() {
    stream_.expires_after(server_.limits.time_limit);  // once: it bounds the reading and the writing together
    beast::http::async_read_header(
        stream_,
        buffer_,
        parser_,
        [self = shared_from_this()](const error_code& failure, std::size_t) { self->takeHeader(failure); }
    );
  }

 private:
  void takeHeader(const error_code& failure) {
    auto head = judgeHead(parser_, failure);
    is_head_ = head.is_head;
    if (head.then == Head::Then::kNothing) return;
    if (head.then == Head::Then::kRefuse) return send(std::move(head.refusal));
    server_.ask(head.request, [answer = std::make_shared<Answer>(shared_from_this())](HttpResponse response) {
      answer->give(std::move(response));
    });
  }

  /// What a handler may keep for as long as it likes: the connection stays, until its time is over, and is answered
  /// once.
  class Answer {
   public:
    explicit Answer(std::shared_ptr<Connection> to) : to_(std::move(to)) {}
    Answer(const Answer&) = delete;
    Answer& operator=(const Answer&) = delete;
    ~Answer() { give(plainResponse(500, "this page could not be made")); }

    void give(HttpResponse response) {
      if (given_.exchange(true)) return;
      auto& io = to_->server_.io;
      asio::post(io, [to = std::move(to_), response = std::move(response)]() mutable {
        to->send(std::move(response));
      });
    }

   private:
    std::shared_ptr<Connection> to_;
    std::atomic<bool> given_{false};
  };

  void send(HttpResponse from) {
    response_.version(11);
    response_.result(static_cast<unsigned>(from.status));
    response_.set(beast::http::field::content_type, from.content_type);
    response_.set(beast::http::field::cache_control, "no-store");
    if (from.status == 405) response_.set(beast::http::field::allow, "GET, HEAD");
    response_.keep_alive(false);
    response_.content_length(from.body.size());
    if (!is_head_) response_.body() = std::move(from.body);
    beast::http::async_write(stream_, response_, [self = shared_from_this()](const error_code&, std::size_t) {
      error_code ignored;
      self->stream_.socket().shutdown(Tcp::socket::shutdown_send, ignored);
      self->drain();
    });
  }

  /// Reads on until the client has closed: a socket that is closed with unread bytes takes its answer back.
  void drain() {
    stream_.async_read_some(asio::buffer(rest_), [self = shared_from_this()](const error_code& failure, std::size_t) {
      if (!failure) self->drain();
    });
  }

  Impl& server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  RequestParser parser_;
  beast::http::response<beast::http::string_body> response_;
  bool is_head_ = false;
  std::array<char, 1024> rest_{};
};

void HttpServer::Impl::accept() {
  accepting = num_connections < limits.max_connections;
  if (!accepting) return;
  acceptor.async_accept([this](const error_code& failure, Tcp::socket socket) {
    if (failure == asio::error::operation_aborted) return;
    if (failure) {
      pause.expires_after(kAcceptPause);
      pause.async_wait([this](const error_code& stopped) {
        if (!stopped) accept();
      });
      return;
    }
    closeOnExec(socket.native_handle());
    ++num_connections;
    std::make_shared<Connection>(*this, std::move(socket))->run();
    accept();
  });
}

void HttpServer::Impl::connectionEnded() {
  --num_connections;
  if (!closed && !accepting) accept();
}

void HttpServer::Impl::ask(const HttpRequest& request, const Respond& respond) const {
  try {
    handler(request, respond);
  } catch (...) {  // what went wrong is no business of whoever asks
    respond(plainResponse(500, "this page could not be made"));
  }
}

HttpServer::HttpServer(const std::string& host, std::uint16_t port, Handler handler, HttpLimits limits)
    : impl_(std::make_unique<Impl>(std::move(handler), limits)) {
  error_code failure;
  const auto address = parseHost(host, failure);
  const Tcp::endpoint endpoint(address, port);
  auto& acceptor = impl_->acceptor;
  if (!failure) acceptor.open(endpoint.protocol(), failure);
  if (!failure) closeOnExec(acceptor.native_handle());
  if (!failure) acceptor.set_option(Tcp::acceptor::reuse_address(true), failure);
  if (!failure) acceptor.bind(endpoint, failure);
  if (!failure) acceptor.listen(static_cast<int>(limits.max_connections), failure);
  if (!failure) impl_->port = acceptor.local_endpoint(failure).port();
  if (failure) {
    throw Exception(
        ErrorCode::kUnsupported,
        "cannot listen on " + host + ":" + std::to_string(port) + " (HTTP): " + failure.message()
    );
  }
  asio::post(impl_->io, [impl = impl_.get()] { impl->accept(); });
  impl_->threads.spawn("http", [impl = impl_.get()] { impl->io.run(); });
}

HttpServer::~HttpServer() {
  stop();
}

std::uint16_t HttpServer::port() const noexcept {
  return impl_->port;
}

void HttpServer::stop() {
  impl_->io.stop();
  impl_->threads.join();
  impl_->closed = true;
  error_code ignored;
  impl_->acceptor.close(ignored);  // the port is free for the next one
}

}  // namespace disttask::http
