#include "disttask/runtime/backoff.hpp"

#include <catch2/catch.hpp>

using namespace disttask::runtime;
using namespace std::chrono_literals;

TEST_CASE("The back-off doubles from its base to its cap", "[runtime][backoff]") {
  const BackoffPolicy policy{.base = 500ms, .cap = 3s, .jitter = 0};
  CHECK(backoffDelay(policy, 1, 0) == 500ms);
  CHECK(backoffDelay(policy, 2, 0) == 1s);
  CHECK(backoffDelay(policy, 3, 0) == 2s);
  CHECK(backoffDelay(policy, 4, 0) == 3s);
  CHECK(backoffDelay(policy, 5, 0) == 3s);
  CHECK(backoffDelay(policy, 4'000'000'000U, 0) == 3s);
  CHECK(backoffDelay(policy, 0, 0) == 500ms);
}

TEST_CASE("The jitter only shortens the back-off", "[runtime][backoff]") {
  const BackoffPolicy policy{.base = 1s, .cap = 8s, .jitter = 0.25};
  CHECK(backoffDelay(policy, 1, 0.0) == 750ms);
  CHECK(backoffDelay(policy, 1, 0.5) == 875ms);
  const auto longest = backoffDelay(policy, 9, 0.999999);
  CHECK(longest <= 8s);
  CHECK(longest > 7900ms);
}

TEST_CASE("The back-off does not overflow and never exceeds its cap", "[runtime][backoff]") {
  CHECK(backoffDelay({.base = 1s, .cap = Duration::max(), .jitter = 0}, 1000, 0.5) > 24h * 365 * 200);
  CHECK(backoffDelay({.base = 10s, .cap = 1s, .jitter = 0}, 1, 0.5) == 1s);
}
