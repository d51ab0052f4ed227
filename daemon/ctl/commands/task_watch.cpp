// One task, redrawn in place until it has ended.
#include "commands.hpp"

#include "../../exit_codes.hpp"
#include "../args/task.hpp"
#include "../output/interrupt.hpp"
#include "../output/screen.hpp"
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

namespace disttask::ctl {
namespace {

/// What is written at each look: on a terminal the whole view over the one before, else a line when something moved.
class View {
 public:
  explicit View(Context& context) : context_(context), progress_(false, 0) {}

  void show(const proto::Task& task) {
    auto& out = context_.out();
    if (!context_.terminal().is_out_terminal) {
      out << progress_.update(takeSnapshot(context_, task), runtime::systemClock().now()) << std::flush;
      return;
    }
    context_.lookAtTerminal();  // it may have another size by now
    std::ostringstream text;
    showTask(context_, task, text);
    const auto line = progress_.look(takeSnapshot(context_, task), runtime::systemClock().now());
    if (!proto::isDone(task.state)) text << '\n' << line << '\n';
    out << redraw_.update(text.str(), rowsOf(STDOUT_FILENO), context_.terminal().columns) << std::flush;
  }

 private:
  Context& context_;
  Progress progress_;
  Redraw redraw_;
};

}  // namespace

int execute(Context& context, const TaskWatch& options) {
  if (context.output() != Output::kTable) {
    throw Exception(
        ErrorCode::kInvalidArgument, "task watch is for people; for programs: task wait -o json, or task show -o json"
    );
  }
  const auto id = context.findTask(options.name).id;
  const InterruptWatch interrupt;
  View view(context);
  runtime::Wakeup pause(runtime::systemClock());
  bool is_away = false;
  for (;;) {
    try {
      const auto task = context.store().clientTable().findTask(context.call(), id);
      if (!task) throw Exception(ErrorCode::kNotFound, fmt::format("task id:{} is in no table any more", id.value()));
      view.show(*task);
      is_away = false;
      if (proto::isDone(task->state)) return exitCodeOfEnd(*task);
    } catch (const Exception& failure) {
      if (!isPassing(failure.error())) throw;
      if (!is_away) context.err() << failure.what() << "; still watching\n" << std::flush;
      is_away = true;
    }
    constexpr auto kSlice = std::chrono::milliseconds(200);
    for (const runtime::Deadline next(runtime::systemClock(), options.interval); !next.isReached();) {
      if (interrupt.signal() != 0) {
        sayInterrupted(context, taskGoesOn(options.name));
        return interrupt.exitCode();
      }
      pause.waitFor({}, std::min<runtime::Duration>(kSlice, next.left()));
    }
  }
}

}  // namespace disttask::ctl
