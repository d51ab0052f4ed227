/* A plugin in plain C that uses all that a host offers to a run. */
#include "fixture.h"

static int32_t isText(disttask_str text, const char* literal) {
  return text.len == strlen(literal) && memcmp(text.ptr, literal, text.len) == 0;
}

/* Subtask metas name what to do. */
static disttask_status run(
    disttask_step* step,
    const disttask_run* the_run,
    const disttask_subtask* subtask,
    disttask_sink result,
    disttask_sink error
) {
  const disttask_host* host = the_run->host;
  const disttask_str message = TEXT("running in C");
  const disttask_str checkpoint = TEXT("half way");
  const disttask_str connection = TEXT("warehouse");
  const disttask_str extension = TEXT(DISTTASK_EXT_HOST_CONNECTION);
  (void)step;
  if (isText(subtask->meta, "hand back")) {
    fixtureWrite(error, "the file is not here");
    return DISTTASK_HAND_BACK;
  }
  if (isText(subtask->meta, "retry")) {
    fixtureWrite(error, "busy");
    return DISTTASK_RETRY;
  }
  if (isText(subtask->meta, "fail without a text")) return DISTTASK_FAILED;
  if (isText(subtask->meta, "say cancelled")) return DISTTASK_CANCELLED;
  if (isText(subtask->meta, "count backwards")) the_run->add_progress(the_run, -5, 0, 0);
  if (isText(subtask->meta, "connect")) {
    const disttask_ext_connection* connections = (const disttask_ext_connection*)host->get_extension(host, extension);
    disttask_status status = connections->acquire(host, connection, error);
    if (status != DISTTASK_OK) return status;
    status = connections->get(host, connection, result, error);
    connections->release(host, connection);
    return status;
  }
  host->log(host, DISTTASK_LOG_INFO, message);
  the_run->add_progress(the_run, 10, 200, 300);
  if (the_run->put_checkpoint(the_run, checkpoint, error) != DISTTASK_OK) return DISTTASK_CANCELLED;
  if (host->wait(host, 1) != DISTTASK_CAUSE_NONE) return DISTTASK_CANCELLED;
  if (the_run->run_token(the_run) == 0 || the_run->valid_for_ms(the_run) <= 0) return DISTTASK_FAILED;
  fixtureWrite(result, "C has run ");
  result.write(result.ctx, subtask->meta.ptr, subtask->meta.len);
  return DISTTASK_OK;
}
FIXTURE_STEP(.run_subtask = run)
