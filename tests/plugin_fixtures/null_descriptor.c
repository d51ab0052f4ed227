/* The entry point gives nothing. */
#include "fixture.h"

const disttask_step_vtbl fixture_step_vtbl = FIXTURE_VTBL(.reserved = 0);
const disttask_plugin* disttask_plugin_entry_v0(void) {
  return NULL;
}
