// What operators ask of nodes: cordon, drain, uncordon, forget. The wish stands in the node's row, so it works while
// the node's process, or the owner of the scheduler role, does not.
#include "commands.hpp"
#include "disttask/storage/poll_table.hpp"
#include "node_reassign.hpp"

#include "../../exit_codes.hpp"
#include "../args/node.hpp"
#include "../output/interrupt.hpp"
#include "../output/listing.hpp"
#include <fmt/format.h>

#include <algorithm>
#include <ostream>

namespace disttask::ctl {
namespace {

using proto::WantedState;

constexpr auto kLookEvery = std::chrono::milliseconds(200);

[[noreturn]] void throwUnknown(const std::string& node) {
  throw Exception(ErrorCode::kNotFound, "there is no node '" + node + "'; disttaskctl node ls shows all");
}

void ask(Context& context, const std::string& node, const storage::NodeWish& wish, const char* doing) {
  if (!context.store().nodeTable().setWish(context.call(), node, wish)) throwUnknown(node);
  context.nudgeOwner();
  context.err() << fmt::format("node '{}' is {}\n", node, doing);
}

/// `empty`: null where nobody looked.
int answer(Context& context, const std::string& node, WantedState wanted, Json empty = {}) {
  printChange(context, node, Json::Object{{"node", node}, {"wanted", toString(wanted)}, {"empty", std::move(empty)}});
  return app::kExitClean;
}

/// True once nothing waits, runs or is planned there.
bool isEmpty(Context& context, const std::string& node) {
  const auto seen = context.store().pollTable().poll(context.call(), node);
  if (seen.wanted != WantedState::kDraining) {
    throw Exception(
        ErrorCode::kPrecondition, fmt::format("somebody else made node '{}' {} meanwhile", node, toString(seen.wanted))
    );
  }
  return !seen.has_subtasks && !seen.has_plan;
}

/// Looks until the node is empty; false when the time limit or an interrupt came first.
bool waitUntilEmpty(
    Context& context, const std::string& node, const WaitOptions& options, const InterruptWatch& interrupt
) {
  auto& clock = runtime::systemClock();
  runtime::Wakeup pause(clock);
  const auto limit = options.timeout ? runtime::Deadline(clock, *options.timeout) : runtime::Deadline();
  bool is_away = false;
  for (;;) {
    try {
      if (isEmpty(context, node)) return true;
      is_away = false;
    } catch (const Exception& failure) {
      if (!isPassing(failure.error())) throw;
      if (!is_away) context.err() << failure.what() << "; still waiting\n" << std::flush;
      is_away = true;
    }
    if (limit.isReached() || interrupt.signal() != 0) return false;
    pause.waitFor({}, std::min<runtime::Duration>(kLookEvery, limit.left()));
  }
}

}  // namespace

int execute(Context& context, const NodeCordon& options) {
  ask(context, options.node, {WantedState::kCordoned, std::nullopt, options.message}, "cordoned");
  return answer(context, options.node, WantedState::kCordoned);
}

int execute(Context& context, const NodeUncordon& options) {
  ask(context, options.node, {}, "taking part again");
  return answer(context, options.node, WantedState::kNormal);
}

int execute(Context& context, const NodeDrain& options) {
  storage::NodeWish wish{WantedState::kDraining, std::nullopt, options.message};
  if (options.deadline) wish.limit = std::chrono::ceil<std::chrono::seconds>(*options.deadline);
  ask(context, options.node, wish, "draining");
  if (!options.wait.wait) return answer(context, options.node, WantedState::kDraining);
  const InterruptWatch interrupt;
  if (!waitUntilEmpty(context, options.node, options.wait, interrupt)) {
    if (interrupt.signal() != 0) {
      context.err() << fmt::format(
          "\nno longer waiting; the node goes on draining. To end that: disttaskctl node uncordon '{}'\n", options.node
      );
      return interrupt.exitCode();
    }
    context.err() << "the time limit passed; the node goes on draining\n";
    return app::kCtlTimeLimit;
  }
  context.err() << fmt::format("node '{}' is drained\n", options.node);
  return answer(context, options.node, WantedState::kDraining, true);
}

int execute(Context& context, const NodeForget& options) {
  auto& nodes = context.store().nodeTable();
  const auto node = nodes.getNode(context.call(), options.node);
  if (!node) throwUnknown(options.node);
  if (options.timeout && !options.reassign)
    throw Exception(ErrorCode::kInvalidArgument, "--timeout stands alone, expected only with --reassign");
  context.confirm(fmt::format("Forget node '{}' for good?", options.node));
  if (options.reassign) {
    if (const int code = reassignNode(context, options, *node); code != app::kExitClean) return code;
    context.err() << fmt::format("node '{}' is forgotten, its subtasks are with others\n", options.node);
    printChange(context, options.node, Json::Object{{"node", options.node}, {"forgotten", true}});
    return app::kExitClean;
  }
  // The life that was read, so that a process which registers meanwhile stays.
  const auto forget = [&] {
    try {
      return nodes.forget(context.call(), options.node, node->life);
    } catch (const Exception& e) {
      const bool may_be_kept = node->life == proto::Life() && !context.store().settings().shared_with_dxf;
      if (e.error().code() == ErrorCode::kPrecondition && may_be_kept) refuseWhatIsKept(context, options.node);
      throw;
    }
  };
  if (!forget()) {
    throw Exception(
        ErrorCode::kPrecondition, "node '" + options.node + "' changed meanwhile: a process registered, or it is gone"
    );
  }
  context.err() << fmt::format("node '{}' is forgotten\n", options.node);
  printChange(context, options.node, Json::Object{{"node", options.node}, {"forgotten", true}});
  return app::kExitClean;
}

}  // namespace disttask::ctl
