#include "disttask/observability/log_context.hpp"

#include "line_fields.hpp"

#include <algorithm>
#include <utility>

namespace disttask::observability {

namespace {

thread_local const LogContext* current = nullptr;

const Field* find(std::span<const Field> fields, std::string_view key) noexcept {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return field.key() == key; });
  return found == fields.end() ? nullptr : &*found;
}

/// True if a line names a task or subtask that is not the one of the context.
bool isAboutSomethingElse(std::span<const Field> line, const LogContext& context) noexcept {
  return std::any_of(line.begin(), line.end(), [&](const Field& field) {
    if (field.key() != "task_id" && field.key() != "subtask_id") return false;
    const auto* mine = find(context.fields(), field.key());
    if (mine == nullptr && context.one() && context.one()->key() == field.key()) mine = &*context.one();
    return mine != nullptr && mine->value() != field.value();
  });
}

}  // namespace

LogContext::LogContext(std::span<const Field> fields, std::optional<Field> one) noexcept
    : fields_(fields), one_(std::move(one)), outer_(std::exchange(current, this)) {}

LogContext::~LogContext() {
  current = outer_;
}

std::vector<Field> lineFields(std::span<const Field> line, std::span<const Field> process) {
  std::vector<Field> all(line.begin(), line.end());
  const auto add = [&](const Field& field) {
    if (find(all, field.key()) == nullptr) all.push_back(field);
  };
  if (current != nullptr && !isAboutSomethingElse(line, *current)) {
    for (const auto& field : current->fields()) add(field);
    if (current->one()) add(*current->one());
  }
  for (const auto& field : process) add(field);
  return all;
}

}  // namespace disttask::observability
