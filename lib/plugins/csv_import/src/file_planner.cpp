#include "file_planner.hpp"

#include "boundary_scanner.hpp"
#include "disttask/base/utf8.hpp"
#include "json_fields.hpp"
#include "range_hash.hpp"
#include "record_reader.hpp"

#include <optional>

namespace disttask::csv_import {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

FilePlace skipLines(const SourceFile& file, FilePlace place, std::int64_t count) {
  std::string buffer;
  while (count > 0) {
    const std::string_view block = file.read(buffer, place.offset, kBlockBytes);
    if (block.empty()) {
      fail("file '" + file.path() + "' has only " + std::to_string(place.line - 1) + " lines, fewer than skip_lines");
    }
    std::size_t at = 0;
    while (count > 0 && at < block.size()) {
      const std::size_t feed = block.find('\n', at);
      if (feed == std::string_view::npos) {
        at = block.size();
        break;
      }
      at = feed + 1;
      ++place.line;
      --count;
    }
    place.offset += at;
  }
  return place;
}

// Ends the reading of the head once the header is there.
struct HeaderRead {};

std::vector<std::string> readHeader(const SourceFile& file, const ImportOptions& options, FilePlace& place) {
  std::optional<std::vector<std::string>> names;
  const auto keep = [&](const Record& record) {
    names.emplace();
    for (const Field& field : record.fields) names->emplace_back(field.text);
    throw HeaderRead{};
  };
  const Grammar grammar{options.delimiter, options.quote};
  RecordReader reader(grammar, place, keep);
  std::string buffer;
  try {
    for (std::uint64_t offset = place.offset;;) {
      const std::string_view block = file.read(buffer, offset, kBlockBytes);
      if (block.empty()) break;
      reader.feed(block);
      offset += block.size();
    }
    reader.finish();
  } catch (const HeaderRead&) {
  }
  if (!names) fail("file '" + file.path() + "' is empty: the header is missing");
  // The scanner finds where the first record behind the header begins.
  BoundaryScanner scanner(grammar, place);
  for (std::uint64_t offset = place.offset; !scanner.hasStopped();) {
    const std::string_view block = file.read(buffer, offset, kBlockBytes);
    if (block.empty()) {
      scanner.finish();
      break;
    }
    offset += scanner.scan(block, place.offset + 1);
  }
  place = scanner.place();
  return *names;
}

void checkNames(const std::vector<std::string>& names, const SourceFile& file) {
  for (std::size_t i = 0; i != names.size(); ++i) {
    const std::string where = "file '" + file.path() + "': name " + std::to_string(i + 1) + " of the header";
    if (names[i].empty()) fail(where + " is empty");
    if (findInvalidUtf8(names[i]) != std::string::npos) fail(where + " is not valid UTF-8");
    for (std::size_t j = 0; j != i; ++j) {
      if (names[j] == names[i]) fail(where + " repeats '" + names[i] + "'");
    }
  }
}

}  // namespace

std::string PlanCursor::dump() const {
  Json json;
  json["offset"] = place.offset;
  json["line"] = place.line;
  json["size"] = file.size;
  json["mtime_ns"] = file.mtime_ns;
  json["columns"] = Json(Json::Array(columns.begin(), columns.end()));
  json["chunks"] = done.chunks;
  json["records"] = done.records;
  json["bytes"] = done.bytes;
  return json.dump();
}

PlanCursor PlanCursor::parse(std::string_view text) {
  const std::string what = "plan cursor";
  const Json json = parseObject(text, what);
  const auto number = [&](std::string_view key) {
    return static_cast<std::uint64_t>(intAt(memberAt(json, key, what), what, 0, INT64_MAX));
  };
  PlanCursor cursor;
  cursor.place = {number("offset"), number("line")};
  cursor.file = {number("size"), memberAt(json, "mtime_ns", what).asInt()};
  for (const Json& item : memberAt(json, "columns", what).asArray()) cursor.columns.push_back(item.asString());
  cursor.done = {number("chunks"), number("records"), number("bytes"), 0};
  return cursor;
}

PlanCursor readHead(const SourceFile& file, const ImportOptions& options) {
  file.refuseCompressed();
  PlanCursor cursor;
  cursor.file = file.identity();
  std::string buffer;
  if (file.read(buffer, 0, kByteOrderMark.size()) == kByteOrderMark) cursor.place.offset = kByteOrderMark.size();
  cursor.place = skipLines(file, cursor.place, options.skip_lines);
  cursor.columns = options.columns;
  if (options.header) {
    const std::vector<std::string> names = readHeader(file, options, cursor.place);
    if (options.columns.empty()) {
      checkNames(names, file);
      cursor.columns = names;
    } else if (names.size() != options.columns.size()) {
      fail(
          "file '" + file.path() + "': the header has " + std::to_string(names.size()) + " fields, columns names " +
          std::to_string(options.columns.size())
      );
    }
  }
  return cursor;
}

bool planChunks(
    const SourceFile& file,
    const ImportOptions& options,
    PlanCursor& cursor,
    const std::function<bool(const ChunkMeta&)>& take,
    const std::function<void()>& check
) {
  file.expect(cursor.file);
  BoundaryScanner scanner({options.delimiter, options.quote}, cursor.place);
  const auto chunk_bytes = static_cast<std::uint64_t>(options.chunk_bytes);
  std::string buffer;
  RangeHash hash;
  std::uint64_t records_before = 0;
  // Hands out the chunk from the cursor to where the scanner stands; false when it was not taken.
  const auto handOut = [&] {
    ChunkMeta chunk;
    chunk.start = cursor.place;
    chunk.bytes = scanner.place().offset - cursor.place.offset;
    chunk.records = scanner.numRecords() - records_before;
    chunk.hash = hash.value();
    chunk.file = cursor.file;
    chunk.columns = cursor.columns;
    if (chunk.records > 0) {
      if (!take(chunk)) return false;
      ++cursor.done.chunks;
      cursor.done.records += chunk.records;
      cursor.done.bytes += chunk.bytes;
    }
    cursor.place = scanner.place();
    records_before = scanner.numRecords();
    hash = RangeHash();
    return true;
  };
  for (;;) {
    check();
    std::string_view block = file.read(buffer, scanner.place().offset, kBlockBytes);
    if (block.empty()) break;
    while (!block.empty()) {
      const std::size_t done = scanner.scan(block, cursor.place.offset + chunk_bytes);
      hash.update(block.substr(0, done));
      block.remove_prefix(done);
      if (scanner.hasStopped() && !handOut()) return false;
    }
  }
  scanner.finish();
  file.expect(cursor.file);
  return handOut();
}

}  // namespace disttask::csv_import
