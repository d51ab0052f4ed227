/* A task type without a name. */
#include "fixture.h"

FIXTURE_ONE_TYPE(.name = {NULL, 0})
