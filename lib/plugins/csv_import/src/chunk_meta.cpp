#include "chunk_meta.hpp"

#include "json_fields.hpp"
#include "range_hash.hpp"

namespace disttask::csv_import {
namespace {

std::uint64_t countAt(const Json& json, std::string_view key, const std::string& what) {
  return static_cast<std::uint64_t>(intAt(memberAt(json, key, what), what + "." + std::string(key), 0, INT64_MAX));
}

Json columnsToJson(const std::vector<std::string>& columns) {
  return Json(Json::Array(columns.begin(), columns.end()));
}

std::vector<std::string> columnsFrom(const Json& json, const std::string& what) {
  std::vector<std::string> columns;
  for (const Json& item : memberAt(json, "columns", what).asArray()) columns.push_back(item.asString());
  return columns;
}

std::string decimalAt(const Json& json, std::string_view key, const std::string& what) {
  std::string text = textAt(memberAt(json, key, what), what + "." + std::string(key));
  const std::size_t digits = text.find_first_not_of("0123456789", !text.empty() && text[0] == '-' ? 1 : 0);
  if (text.empty() || text == "-" || digits != std::string::npos) fail(what + ": '" + text + "' is not a number");
  return text;
}

}  // namespace

std::string ChunkMeta::dump() const {
  Json json;
  json["offset"] = start.offset;
  json["line"] = start.line;
  json["bytes"] = bytes;
  json["records"] = records;
  json["hash"] = toHex(hash);
  json["size"] = file.size;
  json["mtime_ns"] = file.mtime_ns;
  json["columns"] = columnsToJson(columns);
  return json.dump();
}

ChunkMeta ChunkMeta::parse(std::string_view text) {
  const std::string what = "chunk meta";
  const Json json = parseObject(text, what);
  ChunkMeta meta;
  meta.start = {countAt(json, "offset", what), countAt(json, "line", what)};
  meta.bytes = countAt(json, "bytes", what);
  meta.records = countAt(json, "records", what);
  meta.hash = fromHex(textAt(memberAt(json, "hash", what), "chunk meta.hash"));
  meta.file = {countAt(json, "size", what), memberAt(json, "mtime_ns", what).asInt()};
  meta.columns = columnsFrom(json, what);
  return meta;
}

std::string ChunkResult::dump() const {
  Json json;
  json["records"] = records;
  json["written"] = written;
  json["bad"] = bad;
  json["bytes"] = bytes;
  json["hash"] = toHex(hash);
  json["row_sum"] = row_sum;
  if (done_before) json["done_before"] = true;
  if (loaded) json["loaded"] = true;
  if (!rejects.empty()) json["rejects"] = rejects;
  return json.dump();
}

ChunkResult ChunkResult::parse(std::string_view text) {
  const std::string what = "chunk result";
  const Json json = parseObject(text, what);
  ChunkResult result;
  result.records = countAt(json, "records", what);
  result.written = countAt(json, "written", what);
  result.bad = countAt(json, "bad", what);
  result.bytes = countAt(json, "bytes", what);
  result.hash = fromHex(textAt(memberAt(json, "hash", what), "chunk result.hash"));
  result.row_sum = decimalAt(json, "row_sum", what);
  result.done_before = json.find("done_before") != nullptr;
  result.loaded = json.find("loaded") != nullptr;
  if (const Json* rejects = json.find("rejects")) result.rejects = rejects->asString();
  return result;
}

void ImportTotals::add(const ChunkResult& chunk) noexcept {
  ++chunks;
  records += chunk.records;
  bytes += chunk.bytes;
  hash_sum += chunk.hash;
}

std::string VerifyMeta::dump() const {
  Json json;
  json["part"] = std::int64_t{part};
  json["parts"] = std::int64_t{parts};
  if (!key.empty()) json["key"] = key;
  if (from) json["from"] = *from;
  if (to) json["to"] = *to;
  if (half) json["half"] = std::int64_t{*half};
  json["chunks"] = totals.chunks;
  json["records"] = totals.records;
  json["bytes"] = totals.bytes;
  json["hash_sum"] = toHex(totals.hash_sum);
  json["columns"] = columnsToJson(columns);
  return json.dump();
}

VerifyMeta VerifyMeta::parse(std::string_view text) {
  const std::string what = "verify meta";
  const Json json = parseObject(text, what);
  VerifyMeta meta;
  meta.part = static_cast<std::int32_t>(intAt(memberAt(json, "part", what), "verify meta.part", 1, 1 << 20));
  meta.parts = static_cast<std::int32_t>(intAt(memberAt(json, "parts", what), "verify meta.parts", 1, 1 << 20));
  if (const Json* key = json.find("key")) meta.key = textAt(*key, "verify meta.key");
  if (json.find("from") != nullptr) meta.from = decimalAt(json, "from", what);
  if (json.find("to") != nullptr) meta.to = decimalAt(json, "to", what);
  if (const Json* half = json.find("half"))
    meta.half = static_cast<std::int32_t>(intAt(*half, "verify meta.half", 0, 1));
  meta.totals = {
      countAt(json, "chunks", what),
      countAt(json, "records", what),
      countAt(json, "bytes", what),
      fromHex(textAt(memberAt(json, "hash_sum", what), "verify meta.hash_sum"))};
  meta.columns = columnsFrom(json, what);
  return meta;
}

}  // namespace disttask::csv_import
