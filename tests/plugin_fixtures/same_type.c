/* Offers the task type of `good`, and one of its own. */
#include "fixture.h"

const disttask_step_vtbl fixture_step_vtbl = FIXTURE_VTBL(.reserved = 0);
static const disttask_task_type types[] = {
    FIXTURE_TYPE("same_type", .impl = NULL), FIXTURE_TYPE("fixture", .impl = NULL)};
FIXTURE_PLUGIN(types, .init = NULL)
