#pragma once
#include "disttask/http/http_server.hpp"

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <string>

namespace disttask::http {

/// Reads the head of one request; a body is not read.
using RequestParser = boost::beast::http::request_parser<boost::beast::http::empty_body>;

/// What follows when the reading of a head has ended.
struct Head {
  enum class Then : std::uint8_t {
    kNothing,  ///< the client is gone, or was too slow
    kRefuse,   ///< `refusal` is the answer
    kAsk,      ///< `request` is for the handler
  };
  Then then = Then::kNothing;
  bool is_head = false;  ///< HEAD: the answer has no body
  HttpResponse refusal;
  HttpRequest request;
};

/// Sets what a request may come to.
void limitRequest(RequestParser& parser, const HttpLimits& limits);
/// Says what follows from what was read, which ended with this failure or none.
[[nodiscard]] Head judgeHead(const RequestParser& parser, const boost::system::error_code& failure);
/// Returns an answer of one line.
[[nodiscard]] HttpResponse plainResponse(int status, std::string text);

}  // namespace disttask::http
