/* Something else that exports the same name. */
#include "fixture.h"

FIXTURE_DESCRIPTOR(.magic = 0x12345678U)
