#include "disttask/base/unique_function.hpp"

#include <catch2/catch.hpp>

#include <memory>

using namespace disttask;

TEST_CASE("UniqueFunction holds a callable that cannot be copied", "[base][unique_function]") {
  auto owned = std::make_unique<int>(41);
  UniqueFunction<int(int)> function([owned = std::move(owned)](int more) { return *owned + more; });
  REQUIRE(function);
  CHECK(function(1) == 42);
  auto moved = std::move(function);
  CHECK(moved(2) == 43);
  CHECK_FALSE(UniqueFunction<void()>());
}

TEST_CASE("UniqueFunction frees what it captured when it is replaced", "[base][unique_function]") {
  const auto shared = std::make_shared<int>(1);
  UniqueFunction<void()> function([shared] {});
  CHECK(shared.use_count() == 2);
  function = {};
  CHECK(shared.use_count() == 1);
}
