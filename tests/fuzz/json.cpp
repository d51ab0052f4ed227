// JSON of whatever origin: it is refused with one sentence, or reads the same after it was written.
#include "disttask/base/json.hpp"

#include "fuzz.hpp"

using namespace disttask;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto value =
      fuzz::refusedOr(ErrorCode::kInvalidArgument, [&] { return Json::parse(fuzz::textOf(data, size)); });
  if (!value) return 0;
  const auto written = value->dump();
  fuzz::expect(Json::parse(written).dump() == written, "what is written reads the same", written);
  fuzz::expect(Json::parse(value->dump(2)).dump() == written, "with and without line breaks", written);
  return 0;
}
