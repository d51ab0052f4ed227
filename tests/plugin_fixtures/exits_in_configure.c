/* Its task type ends the process. */
#include "fixture.h"
#include <unistd.h>

static disttask_status leave(
    const disttask_task_type* type, const disttask_host* host, disttask_str config, disttask_sink error
) {
  (void)type, (void)host, (void)config, (void)error;
  _exit(3);
}
FIXTURE_ONE_TYPE(.configure = leave)
