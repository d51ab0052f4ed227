// The other JSON columns that anybody may have written: summary, extra_params, modify_params, and the reasons of a
// node. Nothing in them stops a reader, and what was read is written the same.
#include "disttask/proto/node.hpp"
#include "disttask/proto/node_types.hpp"
#include "disttask/proto/subtask.hpp"
#include "disttask/proto/task.hpp"
#include "disttask/proto/task_event.hpp"
#include "fuzz.hpp"

using namespace disttask;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::textOf(data, size);
  const auto summary = proto::toJson(proto::parseSummary(text));
  fuzz::expect(proto::toJson(proto::parseSummary(summary)) == summary, "a summary is written as it was read", summary);

  const auto extra = proto::parseExtraParams(text);
  fuzz::expect(extra.max_runtime_slots >= 0 && extra.parallel_subtasks.value_or(0) >= 0, "no number is negative");
  const auto params = proto::toJson(extra);
  fuzz::expect(
      proto::toJson(proto::parseExtraParams(params)) == params, "parameters are written as they were read", params
  );

  std::string unknown;
  if (const auto modify = proto::parseModifyParams(text, unknown)) {
    const auto written = proto::toJson(*modify);
    std::string none;
    const auto again = proto::parseModifyParams(written, none);
    fuzz::expect(
        again && none.empty() && proto::toJson(*again) == written, "a change is written as it was read", written
    );
  }
  (void)proto::describeReasons(text);

  std::string reasons;
  const auto types = proto::parseNodeTypes(text, reasons);
  fuzz::expect(types.empty() || reasons.empty(), "a row that cannot be read offers nothing");
  if (!reasons.empty()) {
    fuzz::expect(proto::isUnreadableRow(reasons), "what is wrong with a row is known again");
    fuzz::expectSentence(proto::describeReasons(reasons));
  }
  return 0;
}
