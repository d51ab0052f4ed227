/* Its subtasks end with a status that no host knows. */
#include "fixture.h"

static disttask_status run(
    disttask_step* step,
    const disttask_run* the_run,
    const disttask_subtask* subtask,
    disttask_sink result,
    disttask_sink error
) {
  (void)step, (void)the_run, (void)subtask, (void)result;
  fixtureWrite(error, "half done");
  return 17;
}
FIXTURE_STEP(.run_subtask = run)
