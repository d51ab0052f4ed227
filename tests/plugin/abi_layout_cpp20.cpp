#include "abi_layout.h"

static_assert(__cplusplus == 202002L, "this file is compiled as C++20");

extern "C" int disttask_abi_layout_cpp20(void);
extern "C" int disttask_abi_layout_cpp20(void) {
  return 1;
}
