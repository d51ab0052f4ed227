#include "boundary_scanner.hpp"

namespace disttask::csv_import {
namespace {

constexpr std::uint8_t kText = 0;
constexpr std::uint8_t kDelimiter = 1;
constexpr std::uint8_t kQuote = 2;
constexpr std::uint8_t kReturn = 3;
constexpr std::uint8_t kFeed = 4;

}  // namespace

BoundaryScanner::BoundaryScanner(Grammar grammar, FilePlace start) : place_(start), record_(start) {
  kind_[static_cast<unsigned char>(grammar.delimiter)] = kDelimiter;
  kind_[static_cast<unsigned char>(grammar.quote)] = kQuote;
  kind_[static_cast<unsigned char>('\r')] = kReturn;
  kind_[static_cast<unsigned char>('\n')] = kFeed;
}

void BoundaryScanner::endRecord() noexcept {
  ++num_records_;
  state_ = State::kRecordStart;
}

std::size_t BoundaryScanner::scan(std::string_view block, std::uint64_t stop_at) {
  const auto* const begin = reinterpret_cast<const unsigned char*>(block.data());
  const auto* const end = begin + block.size();
  const auto* p = begin;
  const std::uint64_t base = place_.offset;
  const auto here = [&] { return FilePlace{base + static_cast<std::uint64_t>(p - begin), place_.line}; };
  const auto breakLine = [&](std::uint8_t kind) {
    if (kind == kReturn) {
      state_ = State::kAfterReturn;
    } else {
      ++place_.line;
    }
  };
  stopped_ = false;
  for (; p != end; ++p) {
    std::uint8_t kind = kind_[*p];
    switch (state_) {
      case State::kUnquoted:
        while (kind == kText) {
          if (++p == end) break;
          kind = kind_[*p];
        }
        if (p == end) {
          --p;  // the loop steps over it again
          break;
        }
        if (kind == kQuote) throw CsvError(here(), kStrayQuote);
        if (kind == kDelimiter) {
          state_ = State::kFieldStart;
        } else {
          endRecord();
          breakLine(kind);
        }
        break;
      case State::kQuoted:
        while (kind != kQuote) {
          if (*p == '\n') ++place_.line;
          if (++p == end) break;
          kind = kind_[*p];
        }
        if (p == end) {
          --p;  // the loop steps over it again
          break;
        }
        state_ = State::kQuoteInQuoted;
        break;
      case State::kQuoteInQuoted:
        if (kind == kQuote) {
          state_ = State::kQuoted;
        } else if (kind == kDelimiter) {
          state_ = State::kFieldStart;
        } else if (kind == kText) {
          throw CsvError(here(), kTextAfterQuote);
        } else {
          endRecord();
          breakLine(kind);
        }
        break;
      case State::kAfterReturn:
        if (kind != kFeed) throw CsvError({here().offset - 1, place_.line}, kLoneCarriageReturn);
        state_ = State::kRecordStart;
        [[fallthrough]];
      case State::kRecordStart:
        if (kind == kReturn || kind == kFeed) {
          breakLine(kind);
          break;
        }
        record_ = here();
        if (record_.offset >= stop_at && num_records_ > records_at_stop_) {
          records_at_stop_ = num_records_;
          stopped_ = true;
          place_ = record_;
          return static_cast<std::size_t>(p - begin);
        }
        [[fallthrough]];
      case State::kFieldStart:
        if (kind == kText) {
          state_ = State::kUnquoted;
        } else if (kind == kDelimiter) {
          state_ = State::kFieldStart;
        } else if (kind == kQuote) {
          quote_ = here();
          state_ = State::kQuoted;
        } else {
          endRecord();
          breakLine(kind);
        }
        break;
    }
  }
  place_.offset = base + block.size();
  if (state_ != State::kRecordStart && state_ != State::kAfterReturn &&
      place_.offset - record_.offset > kMaxRecordBytes) {
    throw CsvError(record_, kRecordTooLong);
  }
  return block.size();
}

void BoundaryScanner::finish() {
  switch (state_) {
    case State::kRecordStart:
      return;
    case State::kAfterReturn:
      throw CsvError({place_.offset - 1, place_.line}, kLoneCarriageReturn);
    case State::kQuoted:
      throw CsvError(quote_, kUnterminatedQuote);
    case State::kFieldStart:
    case State::kUnquoted:
    case State::kQuoteInQuoted:
      endRecord();
  }
}

}  // namespace disttask::csv_import
