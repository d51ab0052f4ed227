/* Its task type accepts one configuration only, and says so. */
#include "fixture.h"

static disttask_status configure(
    const disttask_task_type* type, const disttask_host* host, disttask_str config, disttask_sink error
) {
  static const char kNeeded[] = "{\"color\":\"blue\"}";
  (void)type, (void)host;
  if (config.len == sizeof(kNeeded) - 1 && memcmp(config.ptr, kNeeded, config.len) == 0) return DISTTASK_OK;
  fixtureWrite(error, "color: blue is needed, found ");
  error.write(error.ctx, config.ptr, config.len);
  return DISTTASK_FAILED;
}
FIXTURE_ONE_TYPE(.configure = configure)
