#pragma once
#include "disttask_plugin.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace disttask::plugin {

/// What one output of a plugin (a result, a cursor, a checkpoint, the meta of a subtask) may hold.
inline constexpr std::size_t kMaxOutputBytes = 16U << 20;
/// What is kept of an error text; the rest is cut.
inline constexpr std::size_t kMaxErrorTextBytes = 60U << 10;
/// What is kept of one log message.
inline constexpr std::size_t kMaxLogBytes = 8U << 10;

/// Borrows a text for a call.
[[nodiscard]] inline disttask_str toAbi(std::string_view text) noexcept {
  return {text.data(), text.size()};
}
/// Views a text of a plugin; a null pointer with a length counts as empty.
[[nodiscard]] inline std::string_view fromAbi(disttask_str text) noexcept {
  if (text.ptr == nullptr || text.len == 0) return {};
  return {text.ptr, static_cast<std::size_t>(text.len)};
}
/// Writes to a sink of a plugin. Such a sink may be empty: then nobody wants the text.
inline void writeTo(disttask_sink sink, std::string_view text) noexcept {
  if (sink.write != nullptr && !text.empty()) sink.write(sink.ctx, text.data(), text.size());
}

/// Collects what a plugin writes during one call, up to a limit. Not thread-safe, like the calls that it serves.
class OutputSink {
 public:
  explicit OutputSink(std::size_t max_bytes) : max_bytes_(max_bytes) {}
  OutputSink(const OutputSink&) = delete;
  OutputSink& operator=(const OutputSink&) = delete;

  [[nodiscard]] disttask_sink abi() noexcept { return {this, &OutputSink::write}; }
  /// True when more was written than the limit, or than fits into memory.
  [[nodiscard]] bool overflowed() const noexcept { return overflowed_; }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] std::string take() noexcept { return std::move(text_); }

 private:
  static void write(void* ctx, const char* ptr, std::uint64_t len) noexcept {
    auto& self = *static_cast<OutputSink*>(ctx);
    if (ptr == nullptr || len == 0) return;
    const std::size_t room = self.max_bytes_ - self.text_.size();
    if (len > room) self.overflowed_ = true;
    try {
      self.text_.append(ptr, static_cast<std::size_t>(len > room ? room : len));
    } catch (...) {
      self.overflowed_ = true;
    }
  }
  const std::size_t max_bytes_;
  std::string text_;
  bool overflowed_ = false;
};

}  // namespace disttask::plugin
