// What csv_import reads: the meta of a task, and the metas and results that its planner and its runs left in rows. The
// first byte says which.
#include "chunk_meta.hpp"
#include "fuzz.hpp"
#include "import_options.hpp"
#include "plugin_config.hpp"

using namespace disttask;
using namespace disttask::csv_import;

namespace {

template <typename Meta>
void roundTrip(std::string_view text) {
  const auto parse = [](std::string_view from) {
    return fuzz::refusedOr(ErrorCode::kInvalidArgument, [&] { return Meta::parse(from); });
  };
  const auto meta = parse(text);
  if (!meta) return;
  const auto dumped = meta->dump();
  const auto again = parse(dumped);
  fuzz::expect(again && again->dump() == dumped, "what is written reads the same", dumped);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto text = fuzz::textOf(data + 1, size - 1);
  switch (data[0]) {
    case 'c':
      roundTrip<ChunkMeta>(text);
      break;
    case 'r':
      roundTrip<ChunkResult>(text);
      break;
    case 'v':
      roundTrip<VerifyMeta>(text);
      break;
    case 'p':
      (void)fuzz::refusedOr(ErrorCode::kInvalidConfig, [&] { return csv_import::parseConfig(text); });
      break;
    default:
      if (const auto options = fuzz::refusedOr(ErrorCode::kInvalidArgument, [&] { return parseOptions(text); })) {
        fuzz::expect(!identityOf(*options).empty(), "options have an identity");
        fuzz::expect(
            options->chunk_bytes >= kMinChunkBytes && options->chunk_bytes <= kMaxChunkBytes,
            "chunks have a size within limits"
        );
      }
  }
  return 0;
}
