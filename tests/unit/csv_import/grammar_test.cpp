// The grammar, held against three readings of it: libcsv (RecordReader), the planner's scanner, and a plain one written
// here from the rules.
#include "boundary_scanner.hpp"
#include "record_reader.hpp"

#include <catch2/catch.hpp>

#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace disttask;
using namespace disttask::csv_import;

namespace {

struct Seen {
  std::uint64_t offset = 0;
  std::uint64_t line = 0;
  std::uint64_t end = 0;
  std::vector<std::pair<std::string, bool>> fields;  // text, quoted
  friend bool operator==(const Seen&, const Seen&) = default;
};

struct Outcome {
  std::vector<Seen> records;
  std::string error;
};

Outcome readAll(const std::string& text, std::mt19937& random, std::size_t max_block, Grammar grammar = {}) {
  Outcome outcome;
  try {
    RecordReader reader(grammar, {}, [&](const Record& record) {
      Seen seen{record.place.offset, record.place.line, record.end, {}};
      for (const Field& field : record.fields) seen.fields.emplace_back(std::string(field.text), field.quoted);
      outcome.records.push_back(seen);
    });
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % max_block, text.size() - at);
      const std::string block = text.substr(at, size);  // its own memory: reading past it is found by the sanitizer
      reader.feed(block);
      at += size;
    }
    reader.finish();
  } catch (const CsvError& error) {
    outcome.error = error.error().message();
  }
  return outcome;
}

// Offsets at which a new record begins, with blank lines skipped, and the error if any.
struct Boundaries {
  std::vector<std::uint64_t> starts;
  std::uint64_t num_records = 0;
  std::string error;
};

Boundaries scanAll(const std::string& text, std::mt19937& random, std::size_t max_block, Grammar grammar = {}) {
  Boundaries found;
  BoundaryScanner scanner(grammar, {});
  try {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % max_block, text.size() - at);
      const std::string block = text.substr(at, size);
      std::size_t done = 0;
      while (done < block.size()) {
        done += scanner.scan(std::string_view(block).substr(done), 0);
        if (scanner.hasStopped()) found.starts.push_back(scanner.place().offset);
      }
      at += size;
    }
    scanner.finish();
  } catch (const CsvError& error) {
    found.error = error.error().message();
  }
  found.num_records = scanner.numRecords();
  return found;
}

// The rules once more, character by character over the whole text.
Outcome readPlainly(const std::string& text) {
  Outcome outcome;
  std::size_t i = 0;
  std::uint64_t line = 1;
  const auto fail = [&](std::size_t at, std::uint64_t on_line, const char* what) {
    outcome.error = toString(FilePlace{at, on_line}) + ": " + what;
  };
  while (i < text.size()) {
    if (text[i] == '\n') {
      ++i, ++line;
      continue;
    }
    if (text[i] == '\r') {
      if (i + 1 == text.size() || text[i + 1] != '\n') return fail(i, line, kLoneCarriageReturn), outcome;
      ++i;
      continue;
    }
    Seen record{i, line, 0, {}};
    for (bool more = true; more;) {
      std::string field;
      bool quoted = false;
      if (i < text.size() && text[i] == '"') {
        quoted = true;
        const std::size_t quote_at = i;
        const std::uint64_t quote_line = line;
        for (++i;; ++i) {
          if (i >= text.size()) return fail(quote_at, quote_line, kUnterminatedQuote), outcome;
          if (text[i] == '"') {
            if (i + 1 < text.size() && text[i + 1] == '"') {
              ++i;
            } else {
              break;
            }
          }
          if (text[i] == '\n') ++line;
          field += text[i];
        }
        ++i;
        if (i < text.size() && text[i] != ',' && text[i] != '\n' && text[i] != '\r') {
          return fail(i, line, kTextAfterQuote), outcome;
        }
      } else {
        while (i < text.size() && text[i] != ',' && text[i] != '\n' && text[i] != '\r') {
          if (text[i] == '"') return fail(i, line, kStrayQuote), outcome;
          field += text[i++];
        }
      }
      record.fields.emplace_back(field, quoted);
      more = i < text.size() && text[i] == ',';
      if (more) ++i;
    }
    record.end = i;
    outcome.records.push_back(record);
    if (i < text.size() && text[i] == '\r') {
      if (i + 1 == text.size() || text[i + 1] != '\n') return fail(i, line, kLoneCarriageReturn), outcome;
      ++i;
    }
    if (i < text.size()) ++i, ++line;
  }
  return outcome;
}

std::string randomText(std::mt19937& random, const std::vector<std::string>& alphabet, std::size_t max_length) {
  std::string text;
  for (std::size_t length = random() % max_length; length > 0; --length) text += alphabet[random() % alphabet.size()];
  return text;
}

Outcome read(const std::string& text) {
  std::mt19937 random(1);
  return readAll(text, random, 1000);
}

}  // namespace

TEST_CASE("Reader, scanner and the plain rules agree on random texts, in blocks of any size") {
  const unsigned seed = GENERATE(1U, 2U, 3U, 4U);
  std::mt19937 random(seed);
  // The first alphabet mostly breaks the rules, the second mostly keeps them.
  const std::vector<std::string> wild = {"a", ",", "\"", "\n", "\r\n", " ", "\t", "\r", "\xc3\xa9", "\xff"};
  const std::vector<std::string> tame = {
      "a",
      "b c",
      " ",
      ",",
      ",",
      "\n",
      "\r\n",
      ",\"x\"\n",
      ",\"\",",
      "\"\"\n",
      "\n\"a\"\"\"\n",
      "\n\"\"\"\",",
      "\n\"p\nq\r\n\",\n",
      ",\"\r\n\n,\",\n"};
  std::size_t good = 0;
  for (int i = 0; i < 6000; ++i) {
    const std::string text = randomText(random, i % 2 == 0 ? wild : tame, i % 2 == 0 ? 12 : 20);
    CAPTURE(seed, i, text);
    const Outcome expected = readPlainly(text);
    const Outcome records = readAll(text, random, 1 + random() % 9);
    CHECK(records.error == expected.error);
    if (expected.error.empty()) {
      ++good;
      REQUIRE(records.records == expected.records);
    }
    const Boundaries found = scanAll(text, random, 1 + random() % 9);
    CHECK(found.error == expected.error);
    if (!expected.error.empty()) continue;
    CHECK(found.num_records == expected.records.size());
    REQUIRE(found.starts.size() + 1 >= expected.records.size());
    for (std::size_t r = 1; r < expected.records.size(); ++r) CHECK(found.starts[r - 1] == expected.records[r].offset);
  }
  CHECK(good > 1000);
}

TEST_CASE("Reader finds its way with other delimiters and quotes") {
  std::mt19937 random(7);
  const std::string text = "a;'b;\"c';d\n'it''s';;\n";
  const Outcome outcome = readAll(text, random, 3, {';', '\''});
  REQUIRE(outcome.error.empty());
  REQUIRE(outcome.records.size() == 2);
  CHECK(outcome.records[0].fields[1] == std::pair<std::string, bool>("b;\"c", true));
  CHECK(outcome.records[1].fields[0] == std::pair<std::string, bool>("it's", true));
  CHECK(outcome.records[1].fields[2] == std::pair<std::string, bool>("", false));
  CHECK(scanAll(text, random, 3, {';', '\''}).num_records == 2);
}

TEST_CASE("Reader tells an empty field from an empty string, and keeps blanks") {
  const Outcome outcome = read(",\"\", x ,\t\n");
  REQUIRE(outcome.records.size() == 1);
  const std::vector<std::pair<std::string, bool>> expected = {{"", false}, {"", true}, {" x ", false}, {"\t", false}};
  CHECK(outcome.records[0].fields == expected);
}

TEST_CASE("Reader counts lines also inside quotes, and gives offsets in bytes") {
  const Outcome outcome = read("\xc3\xa9,\"a\nb\"\r\n\r\nlast,1");
  REQUIRE(outcome.records.size() == 2);
  CHECK(outcome.records[0].offset == 0);
  CHECK(outcome.records[0].end == 8);
  CHECK(outcome.records[1].line == 4);
  CHECK(outcome.records[1].offset == 12);
  CHECK(outcome.records[1].end == 18);
}

TEST_CASE("Grammar errors name line and byte offset") {
  CHECK(read("a,b\n1,\"x\ny").error == "line 2, byte 6: a quoted field begins here and never ends");
  CHECK(read("a,b\n1,x\"y\n").error == "line 2, byte 7: a quote inside a field that does not begin with one");
  CHECK(read("a,b\n\"1\"x,2\n").error == "line 2, byte 7: text after the closing quote of a field");
  CHECK(read("a,b\rc,d\n").error == "line 1, byte 3: a carriage return without line feed outside quotes");
}

TEST_CASE("A record too long for memory is an error, not an exhausted machine") {
  const std::string piece(std::size_t{1} << 20, 'x');
  BoundaryScanner scanner({}, {});
  scanner.scan("\"", UINT64_MAX);
  const auto feed = [&] {
    for (int i = 0; i < 70; ++i) scanner.scan(piece, UINT64_MAX);
  };
  CHECK_THROWS_WITH(feed(), Catch::StartsWith("line 1, byte 0: a record of more than 64 MiB"));
}
