/* Its init ends the process with a signal. */
#include "fixture.h"

static disttask_status crash(const disttask_host* host, disttask_sink error) {
  (void)host, (void)error;
  abort();
}
FIXTURE_DESCRIPTOR(.init = crash)
