// The `error` column of a row that anybody may have written, and an error text of whatever bytes that we write there.
#include "disttask/proto/row_error.hpp"

#include "disttask/base/json.hpp"
#include "fuzz.hpp"

using namespace disttask;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::textOf(data, size);
  const auto message = proto::decodeRowError(text);
  fuzz::expect(text.empty() == message.empty() || Json::parse(text).find("message") != nullptr, "a text is not lost");
  for (const auto& encoded :
       {proto::encodeRowError(text), proto::encodeRowError(message, 8), proto::encodeSkipNote(text)}) {
    fuzz::expect(encoded.size() <= proto::kMaxErrorBytes, "an error fits its column");
    fuzz::expect(findInvalidUtf8(encoded) == std::string_view::npos, "an error column is UTF-8");
    const auto json = Json::parse(encoded);
    fuzz::expect(
        json.find("message")->asString() == proto::decodeRowError(encoded), "what is written is read", encoded
    );
  }
  return 0;
}
