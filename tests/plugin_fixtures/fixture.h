/* A complete plugin in C11 with one task type; each fixture changes one thing. FIXTURE_TYPE(name, change…) and
 * FIXTURE_PLUGIN(types, change…) take designated initialisers that replace the good ones. */
#ifndef DISTTASK_FIXTURE_H
#define DISTTASK_FIXTURE_H

#include "disttask_plugin.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(literal) \
  { literal, sizeof(literal) - 1 }

static inline void fixtureWrite(disttask_sink sink, const char* text) {
  sink.write(sink.ctx, text, strlen(text));
}

static inline disttask_status fixtureStepInit(disttask_step* step, const disttask_host* host, disttask_sink error) {
  (void)step, (void)host, (void)error;
  return DISTTASK_OK;
}
static inline disttask_status fixtureRun(
    disttask_step* step,
    const disttask_run* run,
    const disttask_subtask* subtask,
    disttask_sink result,
    disttask_sink error
) {
  (void)step, (void)run, (void)subtask, (void)error;
  fixtureWrite(result, "done");
  return DISTTASK_OK;
}
static inline disttask_status fixtureTaskMetaModified(
    disttask_step* step, const disttask_host* host, disttask_str meta, disttask_sink error
) {
  (void)step, (void)host, (void)meta, (void)error;
  return DISTTASK_OK;
}
static inline disttask_status fixtureResourceModified(
    disttask_step* step, const disttask_host* host, const disttask_resource* resource, disttask_sink error
) {
  (void)step, (void)host, (void)resource, (void)error;
  return DISTTASK_OK;
}
static inline disttask_status fixtureCleanup(disttask_step* step, const disttask_host* host, disttask_sink error) {
  (void)step, (void)host, (void)error;
  return DISTTASK_OK;
}
static inline void fixtureDestroy(disttask_step* step) {
  free(step);
}

#define FIXTURE_VTBL(...)                                                                          \
  {                                                                                                \
    .struct_size = sizeof(disttask_step_vtbl), .init = fixtureStepInit, .run_subtask = fixtureRun, \
    .task_meta_modified = fixtureTaskMetaModified, .resource_modified = fixtureResourceModified,   \
    .cleanup = fixtureCleanup, .destroy = fixtureDestroy, __VA_ARGS__                              \
  }

/* The vtable of the steps that fixtureCreateStep makes; each fixture defines it. */
extern const disttask_step_vtbl fixture_step_vtbl;

static inline disttask_status fixtureNextStep(
    const disttask_task_type* type,
    const disttask_host* host,
    const disttask_task* task,
    int32_t after,
    int32_t* next,
    disttask_sink error
) {
  (void)type, (void)host, (void)task, (void)error;
  *next = after == DISTTASK_STEP_INIT ? 1 : DISTTASK_STEP_DONE;
  return DISTTASK_OK;
}
static inline disttask_status fixturePlan(
    const disttask_task_type* type,
    const disttask_planning* planning,
    const disttask_task* task,
    int32_t step,
    disttask_str cursor,
    disttask_sink next_cursor,
    int32_t* complete,
    disttask_sink error
) {
  (void)type, (void)step, (void)cursor, (void)next_cursor, (void)error;
  planning->add_subtask(planning, task->meta);
  *complete = 1;
  return DISTTASK_OK;
}
static inline disttask_status fixtureCreateStep(
    const disttask_task_type* type,
    const disttask_host* host,
    const disttask_task* task,
    int32_t step,
    const disttask_resource* resource,
    disttask_step** out,
    disttask_sink error
) {
  (void)type, (void)host, (void)task, (void)step, (void)resource, (void)error;
  *out = (disttask_step*)calloc(1, sizeof(disttask_step));
  (*out)->vtbl = &fixture_step_vtbl;
  return DISTTASK_OK;
}
static inline int32_t fixtureIsIdempotent(const disttask_task_type* type, const disttask_subtask* subtask) {
  (void)type, (void)subtask;
  return 1;
}

#define FIXTURE_TYPE(type_name, ...)                                                                               \
  {                                                                                                                \
    .struct_size = sizeof(disttask_task_type), .retry_limit = DISTTASK_TYPE_RETRY_DEFAULT, .parallel_subtasks = 1, \
    .max_parallel_subtasks = 1, .name = TEXT(type_name), .version = TEXT("1"), .next_step = fixtureNextStep,       \
    .plan = fixturePlan, .create_step = fixtureCreateStep, .is_idempotent = fixtureIsIdempotent, __VA_ARGS__       \
  }

/* Defines the entry point of a plugin that offers the array `types`. */
#define FIXTURE_PLUGIN(types, ...)                             \
  static uint32_t fixtureCount(void) {                         \
    return sizeof(types) / sizeof(types[0]);                   \
  }                                                            \
  static const disttask_task_type* fixtureAt(uint32_t index) { \
    return &types[index];                                      \
  }                                                            \
  static const disttask_plugin fixture_plugin = {              \
      .struct_size = sizeof(disttask_plugin),                  \
      .magic = DISTTASK_PLUGIN_MAGIC,                          \
      .abi_major = DISTTASK_ABI_MAJOR,                         \
      .abi_minor = DISTTASK_ABI_MINOR,                         \
      .name = TEXT("fixture"),                                 \
      .version = TEXT("1"),                                    \
      .build = TEXT("C11"),                                    \
      .task_type_count = fixtureCount,                         \
      .task_type_at = fixtureAt,                               \
      __VA_ARGS__};                                            \
  const disttask_plugin* disttask_plugin_entry_v0(void) {      \
    return &fixture_plugin;                                    \
  }

/* A plugin whose descriptor has one thing changed. */
#define FIXTURE_DESCRIPTOR(...)                                                              \
  const disttask_step_vtbl fixture_step_vtbl = FIXTURE_VTBL(.reserved = 0);                  \
  static const disttask_task_type fixture_types[] = {FIXTURE_TYPE("fixture", .impl = NULL)}; \
  FIXTURE_PLUGIN(fixture_types, __VA_ARGS__)

/* A plugin whose type has one thing changed. */
#define FIXTURE_ONE_TYPE(...)                                                               \
  const disttask_step_vtbl fixture_step_vtbl = FIXTURE_VTBL(.reserved = 0);                 \
  static const disttask_task_type fixture_types[] = {FIXTURE_TYPE("fixture", __VA_ARGS__)}; \
  FIXTURE_PLUGIN(fixture_types, .init = NULL)

/* A plugin whose step vtable has one thing changed. */
#define FIXTURE_STEP(...)                                                                    \
  const disttask_step_vtbl fixture_step_vtbl = FIXTURE_VTBL(__VA_ARGS__);                    \
  static const disttask_task_type fixture_types[] = {FIXTURE_TYPE("fixture", .impl = NULL)}; \
  FIXTURE_PLUGIN(fixture_types, .init = NULL)

#endif
