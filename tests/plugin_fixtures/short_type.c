/* The task type ends before its functions. */
#include "fixture.h"

FIXTURE_ONE_TYPE(.struct_size = 72)
