#include "request_head.hpp"

#include <string_view>
#include <utility>

namespace disttask::http {

namespace beast = boost::beast;

namespace {

Head refuse(int status, std::string text) {
  Head head;
  head.then = Head::Then::kRefuse;
  head.refusal = plainResponse(status, std::move(text));
  return head;
}

}  // namespace

HttpResponse plainResponse(int status, std::string text) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(text) + "\n";
  return response;
}

void limitRequest(RequestParser& parser, const HttpLimits& limits) {
  parser.header_limit(static_cast<std::uint32_t>(limits.max_header_bytes));
  parser.body_limit(0);
}

Head judgeHead(const RequestParser& parser, const boost::system::error_code& failure) {
  if (failure == beast::http::error::header_limit) return refuse(431, "the header of the request is too long");
  if (failure == beast::http::error::body_limit) return refuse(413, "no body is expected");
  if (failure.category() == beast::http::make_error_code(beast::http::error::bad_method).category() &&
      failure != beast::http::error::end_of_stream && failure != beast::http::error::partial_message) {
    return refuse(400, "no HTTP request: " + failure.message());
  }
  if (failure) return {};
  const auto& request = parser.get();
  if (parser.chunked() || parser.content_length().value_or(0) > 0) return refuse(413, "no body is expected");
  const auto method = request.method();
  if (method != beast::http::verb::get && method != beast::http::verb::head) {
    return refuse(405, "only GET and HEAD: nothing can be changed here");
  }
  Head head;
  head.then = Head::Then::kAsk;
  head.is_head = method == beast::http::verb::head;
  const std::string_view target(request.target().data(), request.target().size());
  const auto question = target.find('?');
  head.request.path = target.substr(0, question);
  if (question != std::string_view::npos) head.request.query = target.substr(question + 1);
  return head;
}

}  // namespace disttask::http
