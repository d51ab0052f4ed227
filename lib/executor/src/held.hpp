#pragma once
#include "disttask/executor/node_services.hpp"

#include <cstdint>
#include <utility>

namespace disttask::executor {

/// Something of the node that one subtask holds for a while; given back when this goes. Move-only; the node outlives
/// it.
class Held {
 public:
  Held() = default;
  Held(Held&& other) noexcept : node_(std::exchange(other.node_, nullptr)), what_(other.what_), slots_(other.slots_) {}
  Held& operator=(Held&& other) noexcept {
    reset();
    node_ = std::exchange(other.node_, nullptr);
    what_ = other.what_;
    slots_ = other.slots_;
    return *this;
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() { reset(); }

  /// Borrows slots (design rule 18); empty when they are refused.
  static Held borrowSlots(NodeServices& node, std::int32_t slots) {
    return node.slots.tryBorrow(slots) ? Held(node, What::kSlots, slots) : Held();
  }
  /// Takes a place beside others on the node (design rule 9), without waiting; empty when somebody wants to be alone.
  static Held share(NodeServices& node) { return node.exclusive.tryShare() ? Held(node, What::kShared) : Held(); }
  /// Waits for a place, beside others or alone; empty when `token` was cancelled first.
  static Held enter(NodeServices& node, const runtime::CancelToken& token, bool alone) {
    return node.exclusive.enter(token, alone) ? Held(node, alone ? What::kAlone : What::kShared) : Held();
  }
  /// Counts a run from when its start is confirmed until it has returned.
  static Held countRun(NodeServices& node) {
    ++node.counters.live_runs;
    return {node, What::kRun};
  }

  [[nodiscard]] explicit operator bool() const noexcept { return node_ != nullptr; }
  void reset() noexcept {
    if (node_ == nullptr) return;
    auto& node = *std::exchange(node_, nullptr);
    switch (what_) {
      case What::kSlots:
        node.slots.returnBorrowed(slots_);
        break;
      case What::kShared:
      case What::kAlone:
        node.exclusive.leave(what_ == What::kAlone);
        break;
      case What::kRun:
        --node.counters.live_runs;
        break;
    }
  }

 private:
  enum class What : std::uint8_t { kSlots, kShared, kAlone, kRun };
  Held(NodeServices& node, What what, std::int32_t slots = 0) : node_(&node), what_(what), slots_(slots) {}

  NodeServices* node_ = nullptr;
  What what_ = What::kRun;
  std::int32_t slots_ = 0;
};

}  // namespace disttask::executor
