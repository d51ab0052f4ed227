#include "record_reader.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace disttask::csv_import {
namespace {

int isSpace(unsigned char) {
  return 0;
}  // blanks are part of their field

}  // namespace

RecordReader::RecordReader(Grammar grammar, FilePlace start, OnRecord on_record)
    : grammar_(grammar), on_record_(std::move(on_record)), place_(start), block_offset_(start.offset) {
  if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL) != 0) {
    throw Exception(ErrorCode::kInternal, "libcsv could not be initialised");
  }
  csv_set_delim(&parser_, static_cast<unsigned char>(grammar.delimiter));
  csv_set_quote(&parser_, static_cast<unsigned char>(grammar.quote));
  csv_set_space_func(&parser_, isSpace);
  csv_set_blk_size(&parser_, 4096);
  record_.place = start;
}

RecordReader::~RecordReader() {
  csv_free(&parser_);
}

void RecordReader::onField(void* text, std::size_t size, void* self) noexcept {
  auto& reader = *static_cast<RecordReader*>(self);
  if (reader.failure_) return;
  try {
    reader.addField(static_cast<const char*>(text), size);
  } catch (...) {
    reader.failure_ = std::current_exception();
  }
}

void RecordReader::onEnd(int terminator, void* self) noexcept {
  auto& reader = *static_cast<RecordReader*>(self);
  if (reader.failure_) return;
  try {
    reader.endRecord(terminator);
  } catch (...) {
    reader.failure_ = std::current_exception();
  }
}

// libcsv tells a field's content, not where it stood or whether it was quoted. Both follow from the field's first byte:
// in strict mode a quoted field is its content, two quotes around it, and one more for each quote in it.
void RecordReader::addField(const char* text, std::size_t size) {
  if (return_seen_) throw CsvError({place_.offset - 1, place_.line}, kLoneCarriageReturn);
  const std::uint64_t at = place_.offset;
  const bool in_block = at >= block_offset_ && at - block_offset_ < block_.size();
  const char first = in_block ? block_[static_cast<std::size_t>(at - block_offset_)] : carried_byte_;
  const std::string_view content(size == 0 ? "" : text, size);
  const bool quoted = first == grammar_.quote;
  if (sizes_.empty()) record_.place = place_;
  std::uint64_t raw = size;
  if (quoted) {
    raw += 2 + static_cast<std::uint64_t>(std::count(content.begin(), content.end(), grammar_.quote));
    place_.line += static_cast<std::uint64_t>(std::count(content.begin(), content.end(), '\n'));
  }
  sizes_.push_back(size);
  record_.fields.push_back({{}, quoted});
  text_.append(content);
  record_.end = at + raw;
  place_.offset = at + raw + 1;  // the delimiter; at the end of a record its line break
  carried_byte_ = 0;
  carried_lines_ = 0;
}

void RecordReader::endRecord(int terminator) {
  if (sizes_.empty()) {  // an empty line, or the line feed of CRLF
    if (return_seen_ && terminator != '\n') throw CsvError({place_.offset - 1, place_.line}, kLoneCarriageReturn);
    ++place_.offset;
  } else {
    if (terminator < 0) --place_.offset;  // no line break stands there
    std::size_t at = 0;
    for (std::size_t i = 0; i != sizes_.size(); ++i) {
      record_.fields[i].text = std::string_view(text_).substr(at, sizes_[i]);
      at += sizes_[i];
    }
  }
  return_seen_ = terminator == '\r';
  if (terminator == '\n') ++place_.line;
  if (!sizes_.empty()) {
    on_record_(record_);
    record_.fields.clear();
    sizes_.clear();
    text_.clear();
  }
  carried_byte_ = 0;
  carried_lines_ = 0;
}

void RecordReader::rethrow() {
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

FilePlace RecordReader::placeOf(std::uint64_t offset, std::string_view block) const {
  FilePlace found{offset, place_.line + carried_lines_};
  const std::uint64_t from = std::max(place_.offset, block_offset_);
  for (std::uint64_t i = from; i < offset; ++i) {
    if (block[static_cast<std::size_t>(i - block_offset_)] == '\n') ++found.line;
  }
  return found;
}

void RecordReader::feed(std::string_view block) {
  block_ = block;
  const std::size_t done = csv_parse(&parser_, block.data(), block.size(), onField, onEnd, this);
  rethrow();
  if (done != block.size()) {
    if (csv_error(&parser_) != CSV_EPARSE) throw Exception(ErrorCode::kInternal, csv_strerror(csv_error(&parser_)));
    if (return_seen_) throw CsvError({place_.offset - 1, place_.line}, kLoneCarriageReturn);
    // Inside a quoted field only text behind its closing quote is refused; elsewhere only a quote.
    const bool quote = block[done] == grammar_.quote;
    throw CsvError(placeOf(block_offset_ + done, block), quote ? kStrayQuote : kTextAfterQuote);
  }
  const std::uint64_t end = block_offset_ + block.size();
  if (place_.offset >= block_offset_ && place_.offset < end) {
    carried_byte_ = block[static_cast<std::size_t>(place_.offset - block_offset_)];
    record_.place = sizes_.empty() ? place_ : record_.place;
  }
  if (place_.offset < end) {
    const std::uint64_t from = std::max(place_.offset, block_offset_) - block_offset_;
    const auto tail = block.substr(static_cast<std::size_t>(from));
    carried_lines_ += static_cast<std::uint64_t>(std::count(tail.begin(), tail.end(), '\n'));
  }
  block_offset_ = end;
  block_ = {};
  if (end > record_.place.offset && end - record_.place.offset > kMaxRecordBytes &&
      (!sizes_.empty() || place_.offset < end)) {
    throw CsvError(record_.place, kRecordTooLong);
  }
}

void RecordReader::finish() {
  const FilePlace field = place_;
  const int failed = csv_fini(&parser_, onField, onEnd, this);
  rethrow();
  if (return_seen_) throw CsvError({place_.offset - 1, place_.line}, kLoneCarriageReturn);
  if (failed != 0) throw CsvError(field, kUnterminatedQuote);
}

}  // namespace disttask::csv_import
