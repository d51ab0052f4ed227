// What a client sends to the pages of a daemon, read as the server reads it: in pieces, then the end of the stream. The
// first byte says how large the pieces are.
#include "fuzz.hpp"
#include "request_head.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>

using namespace disttask;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = data[0] == 0 ? size : data[0];
  const auto text = fuzz::textOf(data + 1, size - 1);
  http::HttpLimits limits;
  http::RequestParser parser;
  http::limitRequest(parser, limits);
  boost::system::error_code failure;
  std::size_t begin = 0;
  std::size_t end = 0;
  while (!parser.is_header_done()) {
    if (end == text.size()) {
      if (begin == 0 && end == 0 && text.empty()) {
        failure = boost::beast::http::error::end_of_stream;
      } else {
        parser.put_eof(failure);
      }
      break;
    }
    end = std::min(text.size(), end + piece);
    begin += parser.put(boost::asio::buffer(text.data() + begin, end - begin), failure);
    if (failure == boost::beast::http::error::need_more) failure = {};
    if (failure) break;
  }
  const auto head = http::judgeHead(parser, failure);
  if (head.then == http::Head::Then::kAsk) {
    const auto& request = head.request;
    fuzz::expect(request.path.find('?') == std::string::npos, "a path has no query", request.path);
    fuzz::expect(
        request.path.size() + request.query.size() <= limits.max_header_bytes, "a request is within its limit"
    );
  } else if (head.then == http::Head::Then::kRefuse) {
    const auto status = head.refusal.status;
    fuzz::expect(status == 400 || status == 405 || status == 413 || status == 431, "a refusal has one of four codes");
    fuzz::expectSentence(std::string_view(head.refusal.body).substr(0, head.refusal.body.size() - 1));
  }
  return 0;
}
