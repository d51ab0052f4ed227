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
  const auto found = reasons::explain(reasons::readFacts(sources, context.call(), task));
  if (context.isJson()) {
    Json::Array list;
    for (const auto& reason : found) {
      list.push_back(Json::Object{
          {"code", reasons::toString(reason.code)},
          {"text", reason.text},
          {"subtasks", reason.subtasks},
          {"until", formatIsoTime(reason.until.value_or(0))},
      });
    }
    context.printJson(Json::Object{
        {"id", task.id.value()},
        {"key", task.key},
        {"state", proto::toString(task.state)},
        {"step", std::int64_t{task.step.value()}},
        {"reasons", std::move(list)},
    });
    return app::kExitClean;
  }
  Table table({{"REASON"}, {"SUBTASKS", Align::kRight}, {"UNTIL"}, {"WHY"}});
  for (const auto& reason : found) {
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
