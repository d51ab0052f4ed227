#include "abi_check.hpp"

#include "abi_text.hpp"
#include "disttask/base/printable.hpp"
#include "disttask/base/utf8.hpp"

#include <string_view>

namespace disttask::plugin {
namespace {

constexpr std::size_t kMaxTypeNameBytes = 256;     // the `type` column
constexpr std::int64_t kMaxBackoffMs = 3'600'000;  // the store takes a time further ahead for a wrong clock

std::optional<std::string> checkSize(std::string_view what, std::uint32_t found, std::size_t needed) {
  if (found >= needed) return std::nullopt;
  return "struct_size of " + std::string(what) + " is " + std::to_string(found) + ", at least " +
         std::to_string(needed) + " is needed";
}

template <typename Function>
std::optional<std::string> checkFunction(std::string_view what, std::string_view name, Function* function) {
  if (function != nullptr) return std::nullopt;
  return std::string(what) + " has no " + std::string(name) + ": the entry is null";
}

std::string hex(std::uint32_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = "0x";
  for (int shift = 28; shift >= 0; shift -= 4) text += kDigits[(value >> shift) & 0xFU];
  return text;
}

bool isTypeName(std::string_view name) {
  if (name.size() > kMaxTypeNameBytes || findInvalidUtf8(name) != std::string_view::npos) return false;
  for (const char c : name) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) return false;
  }
  return true;
}

std::optional<std::string> checkOptions(const disttask_task_type& type) {
  if (type.retry_limit < DISTTASK_TYPE_RETRY_DEFAULT) {
    return "retry_limit is " + std::to_string(type.retry_limit) + ", -1 (the host's default) or more is needed";
  }
  const auto is_wait = [](std::int64_t ms) { return ms >= 0 && ms <= kMaxBackoffMs; };
  if (!is_wait(type.backoff_base_ms) || !is_wait(type.backoff_cap_ms)) {
    return "backoff_base_ms and backoff_cap_ms are " + std::to_string(type.backoff_base_ms) + " and " +
           std::to_string(type.backoff_cap_ms) + ", 0 (the host's default) to " + std::to_string(kMaxBackoffMs) +
           " is needed";
  }
  if (type.parallel_subtasks < 0 || type.max_parallel_subtasks < 0) {
    return "parallel_subtasks and max_parallel_subtasks are " + std::to_string(type.parallel_subtasks) + " and " +
           std::to_string(type.max_parallel_subtasks) + ", 0 or more is needed";
  }
  if (type.max_parallel_subtasks > 0 && type.parallel_subtasks > type.max_parallel_subtasks) {
    return "parallel_subtasks is " + std::to_string(type.parallel_subtasks) + ", at most max_parallel_subtasks (" +
           std::to_string(type.max_parallel_subtasks) + ") is needed";
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> checkDescriptor(const disttask_plugin* plugin) {
  constexpr std::string_view kWhat = "the plugin descriptor";
  if (plugin == nullptr) return "disttask_plugin_entry_v0 returned no descriptor";
  // The four fields that stand first in every version decide whether the others may be read.
  if (auto bad = checkSize(kWhat, plugin->struct_size, 4 * sizeof(std::uint32_t))) return bad;
  if (plugin->magic != DISTTASK_PLUGIN_MAGIC) {
    return "magic is " + hex(plugin->magic) + ", " + hex(DISTTASK_PLUGIN_MAGIC) +
           " is needed: this is no disttask plugin";
  }
  const std::string host = std::to_string(DISTTASK_ABI_MAJOR) + "." + std::to_string(DISTTASK_ABI_MINOR);
  const std::string found = std::to_string(plugin->abi_major) + "." + std::to_string(plugin->abi_minor);
  if (plugin->abi_major != DISTTASK_ABI_MAJOR) {
    return "abi_major is " + std::to_string(plugin->abi_major) + " (ABI " + found + "), " +
           std::to_string(DISTTASK_ABI_MAJOR) + " is needed (this host speaks ABI " + host + ")";
  }
  if (plugin->abi_minor > DISTTASK_ABI_MINOR) {
    return "abi_minor is " + std::to_string(plugin->abi_minor) + " (ABI " + found + "), at most " +
           std::to_string(DISTTASK_ABI_MINOR) + " is needed (this host speaks ABI " + host + "): use a newer disttask";
  }
  if (DISTTASK_ABI_MAJOR == 0U && plugin->abi_minor != DISTTASK_ABI_MINOR) {
    return "abi_minor is " + std::to_string(plugin->abi_minor) + " (ABI " + found + "), exactly " +
           std::to_string(DISTTASK_ABI_MINOR) +
           " is needed: before 1.0 each minor may change the layout; build it anew";
  }
  if (auto bad = checkSize(kWhat, plugin->struct_size, sizeof(disttask_plugin))) return bad;
  if (auto bad = checkFunction(kWhat, "task_type_count", plugin->task_type_count)) return bad;
  return checkFunction(kWhat, "task_type_at", plugin->task_type_at);
}

std::optional<std::string> checkTaskType(const disttask_task_type* type) {
  if (type == nullptr) return "task_type_at returned no task type";
  if (auto bad = checkSize("the task type", type->struct_size, sizeof(disttask_task_type))) return bad;
  const std::string_view name = fromAbi(type->name);
  if (name.empty()) return "the name of a task type is empty";
  if (!isTypeName(name)) {
    return "the name of a task type is '" + toPrintable(name, 80) + "', up to " + std::to_string(kMaxTypeNameBytes) +
           " bytes of UTF-8 without blanks and control characters are needed";
  }
  const std::string what = "task type '" + std::string(name) + "'";
  if (auto bad = checkFunction(what, "next_step", type->next_step)) return bad;
  if (auto bad = checkFunction(what, "plan", type->plan)) return bad;
  if (auto bad = checkFunction(what, "create_step", type->create_step)) return bad;
  if (auto bad = checkFunction(what, "is_idempotent", type->is_idempotent)) return bad;
  if (auto bad = checkOptions(*type)) return what + ": " + *bad;
  return std::nullopt;
}

std::optional<std::string> checkStep(const disttask_step* step) {
  constexpr std::string_view kWhat = "the step object";
  if (step == nullptr) return "create_step returned no object";
  const disttask_step_vtbl* vtbl = step->vtbl;
  if (vtbl == nullptr) return "the step object has no vtable: the entry is null";
  if (auto bad = checkSize("the step vtable", vtbl->struct_size, sizeof(disttask_step_vtbl))) return bad;
  if (auto bad = checkFunction(kWhat, "init", vtbl->init)) return bad;
  if (auto bad = checkFunction(kWhat, "run_subtask", vtbl->run_subtask)) return bad;
  if (auto bad = checkFunction(kWhat, "task_meta_modified", vtbl->task_meta_modified)) return bad;
  if (auto bad = checkFunction(kWhat, "resource_modified", vtbl->resource_modified)) return bad;
  if (auto bad = checkFunction(kWhat, "cleanup", vtbl->cleanup)) return bad;
  return checkFunction(kWhat, "destroy", vtbl->destroy);
}

}  // namespace disttask::plugin
