/* Offers the same task type twice. */
#include "fixture.h"

const disttask_step_vtbl fixture_step_vtbl = FIXTURE_VTBL(.reserved = 0);
static const disttask_task_type types[] = {FIXTURE_TYPE("twin", .impl = NULL), FIXTURE_TYPE("twin", .impl = NULL)};
FIXTURE_PLUGIN(types, .init = NULL)
