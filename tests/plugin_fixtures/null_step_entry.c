/* The step object lacks a function that it needs. */
#include "fixture.h"

FIXTURE_STEP(.run_subtask = NULL)
