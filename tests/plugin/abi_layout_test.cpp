#include <catch2/catch.hpp>

extern "C" int disttask_abi_layout_c11(void);
extern "C" int disttask_abi_layout_cpp20(void);

TEST_CASE("the ABI header has one layout in C11 and in C++20", "[plugin][abi]") {
  // abi_layout.h asserts it at compile time, once in each language, with padding as an error: both files are here, so
  // it holds.
  CHECK(disttask_abi_layout_c11() == 1);
  CHECK(disttask_abi_layout_cpp20() == 1);
}
