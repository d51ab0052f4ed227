/* The plain fixture: nothing is changed. */
#include "fixture.h"

FIXTURE_DESCRIPTOR(.init = NULL)
