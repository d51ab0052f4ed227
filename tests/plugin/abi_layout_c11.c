#include "abi_layout.h"

#if __STDC_VERSION__ != 201112L
#error "this file is compiled as C11"
#endif

int disttask_abi_layout_c11(void);
int disttask_abi_layout_c11(void) {
  return 1;
}
