/* The descriptor ends before its version. */
#include "fixture.h"

FIXTURE_DESCRIPTOR(.struct_size = 8)
