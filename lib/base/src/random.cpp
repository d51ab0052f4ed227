#include "disttask/base/random.hpp"

#include "disttask/base/error.hpp"

#include <sys/random.h>

namespace disttask {

static std::uint64_t randomBits() {
  std::uint64_t bits = 0;
  if (::getrandom(&bits, sizeof bits, 0) != static_cast<ssize_t>(sizeof bits)) {
    throw Exception(ErrorCode::kInternal, "the kernel gave no random bytes (getrandom)");
  }
  return bits;
}

std::int64_t randomToken() {
  for (;;) {
    const auto token = static_cast<std::int64_t>(randomBits() >> 1U);
    if (token > 1) return token;
  }
}

std::uint64_t randomBelow(std::uint64_t bound) {
  return bound == 0 ? 0 : randomBits() % bound;
}

}  // namespace disttask
