// The JSON texts of the contract's columns: error, summary, extra_params, modify_params.
#include "disttask/base/error.hpp"
#include "disttask/base/json.hpp"
#include "disttask/base/utf8.hpp"
#include "disttask/proto/node.hpp"
#include "disttask/proto/node_types.hpp"
#include "disttask/proto/row_error.hpp"
#include "disttask/proto/subtask.hpp"
#include "disttask/proto/task.hpp"
#include "disttask/proto/task_event.hpp"

#include <algorithm>
#include <limits>

namespace disttask::proto {

namespace {

// Kinds of modification (contract 3.9); the last two are ours.
constexpr std::string_view kModifySlots = "modify_concurrency";
constexpr std::string_view kModifyMaxNodes = "modify_max_node_count";
constexpr std::string_view kModifyPriority = "modify_priority";
constexpr std::string_view kModifyMeta = "modify_meta";

// Member of a node's reasons: what is wrong with its row.
constexpr std::string_view kRowReason = "row";

std::string encodeWholeError(std::string_view message, int code) {
  return Json(Json::Object{{"class", 0}, {"code", code}, {"message", message}, {"rfccode", ""}}).dump();
}

// Columns are written by other programs too: whatever is not as expected counts as absent.
std::optional<std::int64_t> readInt(const Json& object, std::string_view key) {
  const auto* value = object.find(key);
  if (value == nullptr || !value->isInt()) return std::nullopt;
  return value->asInt();
}

std::optional<std::int32_t> readInt32(const Json& object, std::string_view key) {
  using Limits = std::numeric_limits<std::int32_t>;
  const auto value = readInt(object, key);
  if (!value || *value < Limits::min() || *value > Limits::max()) return std::nullopt;
  return static_cast<std::int32_t>(*value);
}

// Reads a text of somebody else's; anything malformed gives null.
Json parseLeniently(std::string_view text) noexcept {
  try {
    return Json::parse(text);
  } catch (...) {  // malformed, or no memory for it: the column counts as empty
    return {};
  }
}

}  // namespace

std::string encodeRowError(std::string_view message, int code) {
  const auto valid = toValidUtf8(message, kMaxErrorBytes);
  auto whole = encodeWholeError(valid, code);
  if (whole.size() <= kMaxErrorBytes) return whole;
  // Escapes make the length of the encoded text hard to foresee: look for the longest beginning that fits.
  std::size_t fits = 0;
  std::size_t too_long = valid.size();
  while (too_long - fits > 1) {
    const auto middle = fits + (too_long - fits) / 2;
    auto text = encodeWholeError(toValidUtf8(valid, middle), code);
    (text.size() <= kMaxErrorBytes ? fits : too_long) = middle;
  }
  return encodeWholeError(toValidUtf8(valid, fits), code);
}

std::string encodeSkipNote(std::string_view message) {
  auto note = encodeWholeError(toValidUtf8(message, kMaxSkipNoteBytes), 0);
  note.insert(note.rfind('}'), kSkipMark);
  return note;
}

std::string decodeRowError(std::string_view column) {
  if (column.empty()) return {};  // nearly every row: no reason to ask the parser
  const auto json = parseLeniently(column);
  const auto* message = json.find("message");
  return message != nullptr && message->isString() ? message->asString() : std::string(column);
}

std::string toJson(const SubtaskSummary& summary) {
  return Json(Json::Object{
                  {"row_count", summary.row_count},
                  {"bytes", summary.bytes},
                  {"read_bytes", summary.read_bytes},
                  {"get_request_count", 0},
                  {"put_request_count", 0},
              })
      .dump();
}

SubtaskSummary parseSummary(std::string_view text) noexcept {
  const auto json = parseLeniently(text);
  SubtaskSummary summary;
  summary.row_count = readInt(json, "row_count").value_or(0);
  summary.bytes = readInt(json, "bytes").value_or(0);
  summary.read_bytes = readInt(json, "read_bytes").value_or(0);
  return summary;
}

std::string toJson(const ExtraParams& params) {
  Json::Object object;
  if (params.manual_recovery) object["manual_recovery"] = true;
  if (params.max_runtime_slots != 0) object["max_runtime_slots"] = params.max_runtime_slots;
  if (params.parallel_subtasks) object["parallel_subtasks"] = *params.parallel_subtasks;
  if (!params.target_steps.empty()) {
    object["target_steps"] = Json::Array(params.target_steps.begin(), params.target_steps.end());
  }
  return Json(std::move(object)).dump();
}

ExtraParams parseExtraParams(std::string_view text) noexcept {
  const auto json = parseLeniently(text);
  ExtraParams params;
  if (const auto* manual = json.find("manual_recovery"); manual != nullptr && manual->isBool()) {
    params.manual_recovery = manual->asBool();
  }
  params.max_runtime_slots = std::max(0, readInt32(json, "max_runtime_slots").value_or(0));
  if (const auto* steps = json.find("target_steps"); steps != nullptr && steps->isArray()) {
    for (const auto& step : steps->asArray()) {
      if (!step.isInt() || step.asInt() != static_cast<std::int32_t>(step.asInt())) continue;
      params.target_steps.push_back(static_cast<std::int32_t>(step.asInt()));
    }
  }
  params.parallel_subtasks = readInt32(json, "parallel_subtasks");
  if (params.parallel_subtasks && *params.parallel_subtasks < 0) params.parallel_subtasks.reset();
  return params;
}

std::optional<ModifyParams> parseModifyParams(std::string_view text, std::string& unknown) {
  const auto json = parseLeniently(text);
  const auto* state = json.find("prev_state");
  if (state == nullptr || !state->isString()) return std::nullopt;
  const auto prev_state = parseTaskState(state->asString());
  if (!prev_state || !isAllowed(*prev_state, TaskEvent::kModify)) return std::nullopt;
  ModifyParams params;
  params.prev_state = *prev_state;
  const auto* list = json.find("modifications");
  if (list == nullptr || !list->isArray()) return params;
  for (const auto& each : list->asArray()) {
    const auto* type = each.find("type");
    const auto name = type != nullptr && type->isString() ? type->asString() : std::string();
    const auto number = readInt32(each, "to");
    const auto* to = each.find("to");
    if (name == kModifySlots) {
      if (number && *number > 0) params.change.slots = number;
    } else if (name == kModifyMaxNodes) {
      if (number && *number > 0) params.change.max_nodes = number;
    } else if (name == kModifyPriority) {
      if (number && *number > 0) params.change.priority = number;
    } else if (name == kModifyMeta) {
      if (to != nullptr && to->isString()) params.change.meta = to->asString();
    } else {
      unknown += (unknown.empty() ? "" : ", ") + name;
    }
  }
  return params;
}

std::string toJson(const ModifyParams& params) {
  Json::Array list;
  const auto add = [&](std::string_view type, Json to) {
    list.push_back(Json::Object{{"type", std::string(type)}, {"to", std::move(to)}});
  };
  const auto& change = params.change;
  if (change.slots) add(kModifySlots, *change.slots);
  if (change.max_nodes) add(kModifyMaxNodes, *change.max_nodes);
  if (change.priority) add(kModifyPriority, *change.priority);
  if (change.meta) add(kModifyMeta, *change.meta);
  return Json(Json::Object{
                  {"prev_state", std::string(toString(params.prev_state))}, {"modifications", Json(std::move(list))}}
  ).dump();
}

std::map<std::string, std::string> parseNodeTypes(std::string_view text, std::string& reasons) {
  std::map<std::string, std::string> types;
  if (text.empty()) return types;
  try {
    const auto json = Json::parse(text);
    for (const auto& [type, version] : json.asObject()) types.emplace(type, version.asString());
  } catch (const Exception& e) {
    types.clear();
    const auto message = "column types is no JSON object of names and versions: " + e.error().message();
    reasons = Json(Json::Object{{std::string(kRowReason), message}}).dump();
  }
  return types;
}

bool isUnreadableRow(std::string_view reasons) {
  return parseLeniently(reasons).find(kRowReason) != nullptr;
}

std::string encodeReasons(const Error& store_error) {
  constexpr std::size_t kMaxMessageBytes = 1024;
  Json::Object store{
      {"code", std::string(toString(store_error.code()))},
      {"message", toValidUtf8(store_error.message(), kMaxMessageBytes)}};
  return Json(Json::Object{{"store", Json(std::move(store))}}).dump();
}

std::string describeReasons(std::string_view reasons) {
  const auto json = parseLeniently(reasons);
  if (const auto* row = json.find(kRowReason); row != nullptr && row->isString()) return row->asString();
  const auto* store = json.find("store");
  const auto* code = store != nullptr ? store->find("code") : nullptr;
  const auto* message = store != nullptr ? store->find("message") : nullptr;
  if (code == nullptr || !code->isString() || message == nullptr || !message->isString()) return std::string(reasons);
  return code->asString() + ": " + message->asString();
}

}  // namespace disttask::proto
