#include "file_planner.hpp"

#include "range_hash.hpp"
#include "record_reader.hpp"

#include "support/temp_dir.hpp"
#include <catch2/catch.hpp>

#include <random>
#include <string>
#include <vector>

using namespace disttask;
using namespace disttask::csv_import;

namespace {

ImportOptions optionsFor(std::int64_t chunk_bytes) {
  ImportOptions options;
  options.chunk_bytes = chunk_bytes;
  return options;
}

std::string randomCsv(std::mt19937& random, int num_records) {
  std::string text = "id,text\n";
  for (int i = 0; i < num_records; ++i) {
    text += std::to_string(i) + ",";
    switch (random() % 5) {
      case 0:
        text += "\"line\nbreak, " + std::string(random() % 60, 'x') + "\"";
        break;
      case 1:
        text += "\"say \"\"hello\"\"\r\n\"";
        break;
      case 2:
        text += std::string(random() % 200, 'y');
        break;
      default:
        text += "plain";
    }
    text += random() % 2 == 0 ? "\n" : "\r\n";
    if (random() % 10 == 0) text += "\n";
  }
  return text;
}

std::vector<ChunkMeta> planAll(const SourceFile& file, const ImportOptions& options, std::size_t per_batch) {
  std::vector<ChunkMeta> chunks;
  std::string cursor = readHead(file, options).dump();
  for (bool complete = false; !complete;) {
    PlanCursor at = PlanCursor::parse(cursor);
    std::size_t taken = 0;
    const auto take = [&](const ChunkMeta& chunk) {
      if (taken == per_batch) return false;
      ++taken;
      chunks.push_back(chunk);
      return true;
    };
    complete = planChunks(file, options, at, take, [] {});
    cursor = at.dump();
  }
  return chunks;
}

std::vector<std::vector<std::string>> recordsOf(
    const std::string& bytes, FilePlace start, std::vector<FilePlace>* places
) {
  std::vector<std::vector<std::string>> records;
  RecordReader reader({}, start, [&](const Record& record) {
    records.emplace_back();
    for (const Field& field : record.fields) records.back().emplace_back(field.text);
    places->push_back(record.place);
  });
  reader.feed(bytes);
  reader.finish();
  return records;
}

std::string wrong(const std::string& content, const ImportOptions& options) {
  const test::TempDir dir;
  const SourceFile file(dir.write("f.csv", content), {dir.path()});
  try {
    PlanCursor cursor = readHead(file, options);
    planChunks(
        file, options, cursor, [](const ChunkMeta&) { return true; }, [] {}
    );
  } catch (const Exception& exception) {
    std::string message = exception.error().message();
    const std::size_t at = message.find(file.path());
    return at == std::string::npos ? message : message.replace(at, file.path().size(), "F");
  }
  return "no error";
}

}  // namespace

TEST_CASE("Chunks of any size cover the file, end on record boundaries and give the same records") {
  std::mt19937 random(11);
  const test::TempDir dir;
  const std::string text = randomCsv(random, 400);
  const SourceFile file(dir.write("f.csv", text), {dir.path()});
  std::vector<FilePlace> whole_places;
  const auto whole = recordsOf(text.substr(8), {8, 2}, &whole_places);
  REQUIRE(whole.size() == 400);

  const std::int64_t chunk_bytes = GENERATE(1, 7, 100, 1024, 5000, 1'000'000);
  CAPTURE(chunk_bytes);
  const std::vector<ChunkMeta> chunks = planAll(file, optionsFor(chunk_bytes), 17);
  std::uint64_t offset = 8;
  std::vector<std::vector<std::string>> records;
  std::vector<FilePlace> places;
  for (const ChunkMeta& chunk : chunks) {
    CHECK(chunk.start.offset == offset);
    const std::string bytes = text.substr(offset, chunk.bytes);
    RangeHash hash;
    hash.update(bytes);
    CHECK(chunk.hash == hash.value());
    CHECK(chunk.columns == std::vector<std::string>{"id", "text"});
    const auto some = recordsOf(bytes, chunk.start, &places);
    CHECK(some.size() == chunk.records);
    records.insert(records.end(), some.begin(), some.end());
    offset += chunk.bytes;
  }
  CHECK(offset == text.size());
  CHECK(records == whole);
  for (std::size_t i = 0; i != places.size(); ++i) {
    CHECK(places[i].offset == whole_places[i].offset);
    CHECK(places[i].line == whole_places[i].line);
  }
}

TEST_CASE("The same cursor gives the same chunks, however they are batched") {
  std::mt19937 random(12);
  const test::TempDir dir;
  const SourceFile file(dir.write("f.csv", randomCsv(random, 300)), {dir.path()});
  const auto one_by_one = planAll(file, optionsFor(1024), 1);
  const auto at_once = planAll(file, optionsFor(1024), 100000);
  REQUIRE(one_by_one.size() == at_once.size());
  for (std::size_t i = 0; i != at_once.size(); ++i) CHECK(one_by_one[i].dump() == at_once[i].dump());
}

TEST_CASE("A byte order mark, skipped lines and the header are not records") {
  const test::TempDir dir;
  ImportOptions options = optionsFor(1024);
  options.skip_lines = 2;
  const std::string text = "\xef\xbb\xbfsome \"title\nsecond line\n\"a\nb\",c\r\n1,2\n3,4";
  const SourceFile file(dir.write("f.csv", text), {dir.path()});
  const auto chunks = planAll(file, options, 10);
  REQUIRE(chunks.size() == 1);
  CHECK(chunks[0].columns == std::vector<std::string>{"a\nb", "c"});
  CHECK(chunks[0].records == 2);
  CHECK(chunks[0].start.line == 5);
  CHECK(text.substr(chunks[0].start.offset) == "1,2\n3,4");
}

TEST_CASE("A file of nothing but a header has no chunks, with own names for the columns a header is skipped") {
  const test::TempDir dir;
  const SourceFile only_header(dir.write("h.csv", "a,b\n"), {dir.path()});
  CHECK(planAll(only_header, optionsFor(1024), 10).empty());
  ImportOptions named = optionsFor(1024);
  named.columns = {"x", "y"};
  const SourceFile file(dir.write("f.csv", "a,b\n1,2\n"), {dir.path()});
  const auto chunks = planAll(file, named, 10);
  REQUIRE(chunks.size() == 1);
  CHECK(chunks[0].columns == named.columns);
  CHECK(chunks[0].records == 1);
  named.header = false;
  CHECK(planAll(file, named, 10)[0].records == 2);
}

TEST_CASE("What is wrong with a file is one sentence") {
  ImportOptions options = optionsFor(1024);
  CHECK(wrong("", options) == "file 'F' is empty: the header is missing");
  CHECK(wrong("a,a\n", options) == "file 'F': name 2 of the header repeats 'a'");
  CHECK(wrong("a,\n", options) == "file 'F': name 2 of the header is empty");
  CHECK(wrong("a,\xff\n", options) == "file 'F': name 2 of the header is not valid UTF-8");
  CHECK(wrong("a,b\n1,\"2\n", options) == "line 2, byte 6: a quoted field begins here and never ends");
  CHECK(wrong("\x1f\x8b\x08rest", options) == "file 'F' is compressed (gzip); unpack it first");
  CHECK(wrong("\x28\xb5\x2f\xfdrest", options) == "file 'F' is compressed (zstd); unpack it first");
  CHECK(wrong(std::string("\xfd\x37zXZ\0", 6), options) == "file 'F' is compressed (xz); unpack it first");
  CHECK(wrong("BZh91AY&SY", options) == "file 'F' is compressed (bzip2); unpack it first");
  CHECK(wrong("PK\x03\x04", options) == "file 'F' is compressed (zip); unpack it first");
  CHECK(
      wrong(
          "\xff\xfe"
          "a",
          options
      ) == "file 'F' is in UTF-16; convert it to UTF-8 first"
  );
  options.columns = {"x"};
  CHECK(wrong("a,b\n1,2\n", options) == "file 'F': the header has 2 fields, columns names 1");
  options.skip_lines = 5;
  CHECK(wrong("a\nb\n", options) == "file 'F' has only 2 lines, fewer than skip_lines");
}

TEST_CASE("A file that changes between two batches is refused") {
  const test::TempDir dir;
  const auto path = dir.write("f.csv", "a\n1\n2\n");
  PlanCursor cursor;
  {
    const SourceFile file(path, {dir.path()});
    cursor = readHead(file, optionsFor(1024));
  }
  dir.write("f.csv", "a\n1\n2\n3\n");
  const SourceFile file(path, {dir.path()});
  const auto take = [](const ChunkMeta&) { return true; };
  CHECK_THROWS_WITH(
      planChunks(file, optionsFor(1024), cursor, take, [] {}),
      Catch::Contains("has changed since planning: 6 bytes then, 8 now")
  );
}
