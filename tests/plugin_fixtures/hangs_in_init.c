/* Its init never comes back. */
#include "fixture.h"
#include <unistd.h>

static disttask_status hang(const disttask_host* host, disttask_sink error) {
  (void)host, (void)error;
  for (;;) pause();
  return DISTTASK_FAILED;
}
FIXTURE_DESCRIPTOR(.init = hang)
