#include "commands.hpp"
#include "disttask/reasons/reasons.hpp"

#include "../../exit_codes.hpp"
#include "../output/table.hpp"
#include "../output/text.hpp"

namespace disttask::ctl {

int execute(Context& context, const TaskWhy& options) {
  const auto task = context.findTask(options.name);
  auto& store = context.store();
  const reasons::Sources sources{store.nodeTable(), store.schedulerTable(), store.reasonTable()};
  const auto answer = options.subtask ? whySubtask(sources, context.call(), task, proto::SubtaskId(*options.subtask))
                                      : whyTask(sources, context.call(), task);
  if (context.isJson()) {
    context.printJson(toJson(answer));
    return app::kExitClean;
  }
  Table table({{"REASON"}, {"SUBTASKS", Align::kRight}, {"UNTIL"}, {"WHY"}});
  for (const auto& reason : answer.reasons) {
    table.add(
        {std::string(reasons::toString(reason.code)),
         reason.subtasks > 0 ? formatCount(reason.subtasks) : "",
         formatTime(reason.until.value_or(0)),
         reason.text}
    );
  }
  table.print(context.out());
  return app::kExitClean;
}

}  // namespace disttask::ctl
