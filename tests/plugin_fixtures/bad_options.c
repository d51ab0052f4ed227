/* More subtasks at a time by default than at most. */
#include "fixture.h"

FIXTURE_ONE_TYPE(.parallel_subtasks = 8, .max_parallel_subtasks = 4)
