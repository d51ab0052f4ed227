/* A plugin without task types. */
#include "fixture.h"

static uint32_t none(void) {
  return 0;
}
FIXTURE_DESCRIPTOR(.task_type_count = none)
