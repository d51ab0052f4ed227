#include "disttask/base/error.hpp"
#include "disttask/storage/client_table.hpp"

#include <string_view>

namespace disttask::storage {

proto::Task findNamedTask(ClientTable& table, const Call& call, const std::string& name) {
  std::optional<proto::Task> task;
  constexpr std::string_view kIdPrefix = "id:";
  if (name.rfind(kIdPrefix, 0) == 0) {
    const auto digits = name.substr(kIdPrefix.size());
    if (digits.empty() || digits.size() > 18 || digits.find_first_not_of("0123456789") != std::string::npos) {
      throw Exception(ErrorCode::kInvalidArgument, "'" + name + "' is no id, expected such as id:42");
    }
    task = table.findTask(call, proto::TaskId(std::stoll(digits)));
  } else {
    task = table.findTaskByKey(call, name);
  }
  if (!task) throw Exception(ErrorCode::kNotFound, "there is no task '" + name + "', live or in history");
  return *task;
}

}  // namespace disttask::storage
