/* The descriptor ends before its functions. */
#include "fixture.h"

FIXTURE_DESCRIPTOR(.struct_size = 64)
