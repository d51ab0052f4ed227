/* Its init refuses. */
#include "fixture.h"

static disttask_status refuse(const disttask_host* host, disttask_sink error) {
  (void)host;
  fixtureWrite(error, "the licence file is missing");
  return DISTTASK_FAILED;
}
FIXTURE_DESCRIPTOR(.init = refuse)
