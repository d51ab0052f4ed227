#include "log_text.hpp"

#include "disttask/base/json.hpp"
#include "disttask/base/utf8.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace disttask::observability {

namespace {

constexpr std::size_t kMaxValueBytes = 4096;

bool isControl(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

void appendEscaped(std::string& out, std::string_view text, bool quoted) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (isControl(c)) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    } else if (quoted && (c == '"' || c == '\\')) {
      out += {'\\', c};
    } else {
      out += c;
    }
  }
}

bool needsQuotes(std::string_view value) {
  return value.empty() || std::any_of(value.begin(), value.end(), [](char c) {
           return isControl(c) || c == ' ' || c == '"' || c == '\\' || c == '=';
         });
}

std::string validCut(std::string_view value) {
  return toValidUtf8(value, kMaxValueBytes);
}

}  // namespace

std::string textLine(std::string_view message, std::span<const Field> fields) {
  std::string line;
  appendEscaped(line, validCut(message), false);
  for (const auto& field : fields) {
    const auto value = validCut(field.value());
    const bool quoted = needsQuotes(value);
    line += ' ';
    line += field.key();
    line += quoted ? "=\"" : "=";
    appendEscaped(line, value, quoted);
    if (quoted) line += '"';
  }
  return line;
}

std::string jsonMembers(Level level, std::string_view message, std::span<const Field> fields) {
  auto members = fmt::format(R"("level":"{}","message":{})", toString(level), Json(validCut(message)).dump());
  for (const auto& field : fields) {
    const auto value = field.isBare() ? field.value() : Json(validCut(field.value())).dump();
    members += fmt::format(",{}:{}", Json(field.key()).dump(), value);
  }
  return members;
}

// A number that JSON cannot write stays text.
Field::Field(std::string_view key, double value)
    : key_(key), value_(fmt::format("{}", value)), is_bare_(std::isfinite(value)) {}

}  // namespace disttask::observability
