#include "segment_meta.hpp"

#include "disttask/plugin_common/json_fields.hpp"

namespace disttask::sql_batch {

std::string SegmentMeta::dump() const {
  Json json;
  json["after"] = toJson(range.after);
  json["upto"] = toJson(range.upto);
  json["rows"] = rows;
  return json.dump();
}

SegmentMeta SegmentMeta::parse(std::string_view text) {
  const Json json = plugin_common::parseObject(text, "subtask meta");
  SegmentMeta meta;
  meta.range = {keyValuesAt(json, "after"), keyValuesAt(json, "upto")};
  meta.rows = plugin_common::memberAt(json, "rows", "subtask meta").asInt();
  return meta;
}

std::string SegmentResult::dump() const {
  Json json;
  json["rows"] = rows;
  json["changed"] = changed;
  json["chunks"] = chunks;
  if (last) json["note"] = "rows behind the planned maximum " + maximum + " were not touched";
  if (!files.empty()) {
    Json list;
    for (const auto& [name, length] : files) list[name] = length;
    json["files"] = std::move(list);
  }
  return json.dump();
}

}  // namespace disttask::sql_batch
