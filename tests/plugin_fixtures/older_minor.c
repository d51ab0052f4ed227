/* Built for an earlier 0.x ABI. */
#include "fixture.h"

FIXTURE_DESCRIPTOR(.abi_minor = DISTTASK_ABI_MINOR - 1)
