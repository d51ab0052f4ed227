#pragma once
#include "disttask/base/error.hpp"
#include "disttask/base/utf8.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>

namespace disttask::fuzz {

/// What a message may come to at most; what it quotes is cut.
inline constexpr std::size_t kMaxSentenceBytes = 4096;

inline std::string_view textOf(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};  // NOLINT: how libFuzzer hands bytes over
}

/// Ends the process when a promise is broken, which is what both libFuzzer and a test see.
inline void expect(bool holds, std::string_view promise, std::string_view found = {}) {
  if (holds) return;
  std::cerr << "broken promise: " << promise << "\nfound: " << found << std::endl;
  std::abort();
}

/// Each message is one line of valid UTF-8 of bounded length.
inline void expectSentence(std::string_view message) {
  expect(!message.empty() && message.size() <= kMaxSentenceBytes, "a message has a bounded length", message);
  expect(findInvalidUtf8(message) == std::string_view::npos, "a message is UTF-8", message);
  const bool printable = std::none_of(message.begin(), message.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  expect(printable, "a message is one line without control characters", message);
}

/// Runs what may refuse its input, with that code and one sentence and in no other way; nothing: it was refused.
template <typename Body>
auto refusedOr(ErrorCode code, Body&& body) -> std::optional<decltype(body())> {
  try {
    return body();
  } catch (const Exception& refusal) {
    expect(refusal.error().code() == code, "bad input has one error code", toString(refusal.error().code()));
    expectSentence(refusal.error().message());
    return std::nullopt;
  }
}

}  // namespace disttask::fuzz
