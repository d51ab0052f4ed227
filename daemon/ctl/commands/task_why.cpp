#include "commands.hpp"
#include "disttask/reasons/reasons.hpp"

#include "../../exit_codes.hpp"
#include "../args/task.hpp"
#include "../output/listing.hpp"
#include "../output/text.hpp"

namespace disttask::ctl {

int execute(Context& context, const TaskWhy& options) {
  const auto task = context.findTask(options.name);
  auto& store = context.store();
  if (context.isBesideTidb()) {
    throw Exception(
        ErrorCode::kUnsupported,
        "the tasks of schema '" + context.schemaName() +
            "' are scheduled by a live TiDB, which does not say why it waits"
    );
  }
  const reasons::Sources sources{store.nodeTable(), store.schedulerTable(), store.reasonTable()};
  const auto answer = options.subtask ? whySubtask(sources, context.call(), task, proto::SubtaskId(*options.subtask))
                                      : whyTask(sources, context.call(), task);
  if (context.output() == Output::kJson) {
    context.printJson(toJson(answer));
    return app::kExitClean;
  }
  std::vector<Item> items;
  const auto json = toJson(answer);
  for (std::size_t i = 0; i < answer.reasons.size(); ++i) {
    const auto& reason = answer.reasons[i];
    const auto code = std::string(reasons::toString(reason.code));
    items.push_back(
        {code,
         json.find("reasons")->asArray()[i],
         {code,
          reason.subtasks > 0 ? formatCount(reason.subtasks) : "",
          context.timeText(reason.until.value_or(0)),
          reason.text}}
    );
  }
  printList(context, {{"REASON"}, {"SUBTASKS", Align::kRight}, {"UNTIL"}, {"WHY", Align::kLeft, 0, true}}, items);
  return app::kExitClean;
}

}  // namespace disttask::ctl
