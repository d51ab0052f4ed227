#pragma once
#include <compare>
#include <cstddef>
#include <functional>

namespace disttask {

/// A number that means one thing: ids of different kinds do not mix by accident. Trivially copyable.
template <typename Tag, typename Rep>
class StrongId {
 public:
  using Representation = Rep;
  constexpr StrongId() noexcept = default;
  constexpr explicit StrongId(Rep value) noexcept : value_(value) {}
  [[nodiscard]] constexpr Rep value() const noexcept { return value_; }
  friend constexpr auto operator<=>(StrongId, StrongId) noexcept = default;

 private:
  Rep value_{};
};

}  // namespace disttask

template <typename Tag, typename Rep>
struct std::hash<disttask::StrongId<Tag, Rep>> {
  std::size_t operator()(disttask::StrongId<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value()); }
};
