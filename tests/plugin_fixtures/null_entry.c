/* A function that every task type needs is missing. */
#include "fixture.h"

FIXTURE_ONE_TYPE(.plan = NULL)
