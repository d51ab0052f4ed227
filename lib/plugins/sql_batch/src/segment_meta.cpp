#include "segment_meta.hpp"

#include "disttask/plugin_common/json_fields.hpp"

namespace disttask::sql_batch {

void putPlace(Json& json, const Place& place) {
  json["connection"] = place.connection;
  json["schema"] = place.schema;
}

Place placeAt(const Json& json, const Place& otherwise) {
  const Json* connection = json.find("connection");
  const Json* schema = json.find("schema");
  if (connection == nullptr || schema == nullptr) return otherwise;
  return {connection->asString(), schema->asString()};
}

std::string SegmentMeta::dump() const {
  Json json;
  putPlace(json, place);
  json["after"] = toJson(range.after);
  json["upto"] = toJson(range.upto);
  json["rows"] = rows;
  return json.dump();
}

SegmentMeta SegmentMeta::parse(std::string_view text, const Place& place) {
  const Json json = plugin_common::parseObject(text, "subtask meta");
  SegmentMeta meta;
  meta.place = placeAt(json, place);
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
