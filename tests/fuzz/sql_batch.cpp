// What sql_batch reads: the meta of a task with its statement, a statement alone, and the metas of its subtasks. The
// first byte says which.
#include "batch_options.hpp"
#include "batch_statement.hpp"
#include "fuzz.hpp"
#include "plugin_config.hpp"
#include "segment_meta.hpp"
#include "sql_tokens.hpp"

using namespace disttask;
using namespace disttask::sql_batch;

namespace {

void statement(std::string_view text) {
  const auto tokens = fuzz::refusedOr(ErrorCode::kInvalidArgument, [&] { return tokenize(text); });
  std::size_t at = 0;
  if (tokens) {
    for (const auto& token : *tokens) {
      fuzz::expect(
          token.begin >= at && token.end > token.begin && token.end <= text.size(), "tokens follow one another"
      );
      at = token.end;
    }
  }
  const TableName table{"shop", "orders"};
  const auto parsed = fuzz::refusedOr(ErrorCode::kInvalidArgument, [&] { return parseStatement(text, table); });
  if (!parsed) return;
  fuzz::expect(tokens.has_value(), "a statement that is taken has tokens");
  const auto whole = parsed->render("`id` between 1 and 2");
  fuzz::expect(
      whole.starts_with(parsed->before) && whole.ends_with(parsed->after),
      "a statement for a range keeps what the user wrote",
      whole
  );
  // The range is the only thing that is put in: without it, what is left is one statement still.
  const auto again = fuzz::refusedOr(ErrorCode::kInvalidArgument, [&] { return tokenize(whole); });
  fuzz::expect(again.has_value(), "a statement for a range can be taken apart", whole);
  const auto semicolon = [](const Token& token) { return token.isSymbol(';'); };
  fuzz::expect(std::none_of(again->begin(), again->end(), semicolon), "what is sent is one statement", whole);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto text = fuzz::textOf(data + 1, size - 1);
  switch (data[0]) {
    case 's':
      statement(text);
      break;
    case 'g':
      if (const auto meta = fuzz::refusedOr(ErrorCode::kInvalidArgument, [&] {
            return SegmentMeta::parse(text, {"c", "s"});
          })) {
        const auto dumped = meta->dump();
        fuzz::expect(SegmentMeta::parse(dumped, {}).dump() == dumped, "what is written reads the same", dumped);
      }
      break;
    case 'w':
      if (const auto work = fuzz::refusedOr(ErrorCode::kInvalidArgument, [&] { return parseWork(text); })) {
        const auto dumped = work->toJson().dump();
        fuzz::expect(parseWork(dumped).toJson().dump() == dumped, "what is written reads the same", dumped);
      }
      break;
    case 'p':
      (void)fuzz::refusedOr(ErrorCode::kInvalidConfig, [&] { return sql_batch::parseConfig(text); });
      break;
    default:
      if (const auto options = fuzz::refusedOr(ErrorCode::kInvalidArgument, [&] { return parseOptions(text); })) {
        const auto dumped = options->work.toJson().dump();
        fuzz::expect(parseWork(dumped).toJson().dump() == dumped, "what is written reads the same", dumped);
      }
  }
  return 0;
}
