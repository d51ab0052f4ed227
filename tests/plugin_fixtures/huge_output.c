/* Its subtasks give a result of 17 MiB. */
#include "fixture.h"

static disttask_status run(
    disttask_step* step,
    const disttask_run* the_run,
    const disttask_subtask* subtask,
    disttask_sink result,
    disttask_sink error
) {
  static char megabyte[1 << 20];
  (void)step, (void)the_run, (void)subtask, (void)error;
  memset(megabyte, 'x', sizeof(megabyte));
  for (int i = 0; i < 17; ++i) result.write(result.ctx, megabyte, sizeof(megabyte));
  return DISTTASK_OK;
}
FIXTURE_STEP(.run_subtask = run)
