/* Its subtasks wait twenty times and never look at what the waits say. */
#include "fixture.h"

static disttask_status run(
    disttask_step* step,
    const disttask_run* the_run,
    const disttask_subtask* subtask,
    disttask_sink result,
    disttask_sink error
) {
  (void)step, (void)subtask, (void)error;
  for (int i = 0; i < 20; ++i) the_run->host->wait(the_run->host, 1);
  fixtureWrite(result, "finished all the same");
  return DISTTASK_OK;
}
FIXTURE_STEP(.run_subtask = run)
