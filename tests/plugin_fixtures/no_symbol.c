/* A shared object that is no plugin. */
#include "fixture.h"

const disttask_step_vtbl fixture_step_vtbl = FIXTURE_VTBL(.reserved = 0);
int disttask_fixture_something_else(void);
int disttask_fixture_something_else(void) {
  return 0;
}
