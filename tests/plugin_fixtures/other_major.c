/* Built for an ABI of another major number. */
#include "fixture.h"

FIXTURE_DESCRIPTOR(.abi_major = DISTTASK_ABI_MAJOR + 1)
