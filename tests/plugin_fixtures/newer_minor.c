/* Built for an ABI that this host does not know yet. */
#include "fixture.h"

FIXTURE_DESCRIPTOR(.abi_minor = DISTTASK_ABI_MINOR + 1)
