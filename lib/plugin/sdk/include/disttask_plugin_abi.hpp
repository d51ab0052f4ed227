// Texts across the C ABI; used by the headers behind disttask_plugin.hpp.
#pragma once
#include "disttask_plugin.h"

#include <cstdint>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace disttask::sdk {

// Hidden, so that two plugins in one process never share what stands here, whatever flags they were built with.
#pragma GCC visibility push(hidden)
namespace detail {

inline disttask_str toAbi(std::string_view text) noexcept {
  return {text.data(), text.size()};
}
inline std::string_view fromAbi(disttask_str text) noexcept {
  return text.len == 0 ? std::string_view() : std::string_view(text.ptr, static_cast<std::size_t>(text.len));
}
inline void write(disttask_sink sink, std::string_view text) noexcept {
  if (!text.empty()) sink.write(sink.ctx, text.data(), text.size());
}

/// Collects what the host writes. The host calls it, so it catches; take() then throws what was caught.
class Collector {
 public:
  disttask_sink abi() noexcept { return {this, &Collector::append}; }
  std::string take() {
    if (out_of_memory_) throw std::bad_alloc();
    return std::move(text_);
  }

 private:
  static void append(void* ctx, const char* ptr, std::uint64_t len) noexcept {
    auto& self = *static_cast<Collector*>(ctx);
    try {
      self.text_.append(ptr, static_cast<std::size_t>(len));
    } catch (...) {
      self.out_of_memory_ = true;
    }
  }
  std::string text_;
  bool out_of_memory_ = false;
};

}  // namespace detail
#pragma GCC visibility pop

}  // namespace disttask::sdk
