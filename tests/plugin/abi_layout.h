/* The layout of the ABI, compiled as C11 and as C++20 with -Wpadded as an error. A change here breaks every plugin that
 * is out there: before 1.0 it takes a new minor number, from 1.0 on structs only grow at their end. */
#include "disttask_plugin.h"

#include <assert.h>
#include <stddef.h>

#define AT(type, member, offset) static_assert(offsetof(type, member) == (offset), #type "." #member)
#define SIZE(type, size) static_assert(sizeof(type) == (size), #type)

static_assert(sizeof(void*) == 8, "the numbers are those of 64-bit systems");

SIZE(disttask_str, 16);
AT(disttask_str, len, 8);
SIZE(disttask_sink, 16);
AT(disttask_sink, write, 8);

SIZE(disttask_task, 64);
AT(disttask_task, slots, 4);
AT(disttask_task, id, 8);
AT(disttask_task, key, 16);
AT(disttask_task, type, 32);
AT(disttask_task, meta, 48);

SIZE(disttask_subtask, 48);
AT(disttask_subtask, step, 4);
AT(disttask_subtask, id, 8);
AT(disttask_subtask, task_id, 16);
AT(disttask_subtask, ordinal, 24);
AT(disttask_subtask, reserved, 28);
AT(disttask_subtask, meta, 32);

SIZE(disttask_resource, 24);
AT(disttask_resource, slots, 4);
AT(disttask_resource, memory_bytes, 8);
AT(disttask_resource, parallel_subtasks, 16);

SIZE(disttask_summary, 32);
AT(disttask_summary, row_count, 8);
AT(disttask_summary, bytes, 16);
AT(disttask_summary, read_bytes, 24);

SIZE(disttask_host, 48);
AT(disttask_host, impl, 8);
AT(disttask_host, get_extension, 16);
AT(disttask_host, log, 24);
AT(disttask_host, cancel_cause, 32);
AT(disttask_host, wait, 40);

SIZE(disttask_run, 64);
AT(disttask_run, host, 8);
AT(disttask_run, impl, 16);
AT(disttask_run, add_progress, 24);
AT(disttask_run, get_checkpoint, 32);
AT(disttask_run, put_checkpoint, 40);
AT(disttask_run, run_token, 48);
AT(disttask_run, valid_for_ms, 56);

SIZE(disttask_planning, 56);
AT(disttask_planning, num_nodes, 4);
AT(disttask_planning, host, 8);
AT(disttask_planning, impl, 16);
AT(disttask_planning, max_rows, 24);
AT(disttask_planning, max_bytes, 32);
AT(disttask_planning, add_subtask, 40);
AT(disttask_planning, read_results, 48);

SIZE(disttask_step_vtbl, 72);
AT(disttask_step_vtbl, init, 8);
AT(disttask_step_vtbl, run_subtask, 16);
AT(disttask_step_vtbl, on_finished, 24);
AT(disttask_step_vtbl, realtime_summary, 32);
AT(disttask_step_vtbl, task_meta_modified, 40);
AT(disttask_step_vtbl, resource_modified, 48);
AT(disttask_step_vtbl, cleanup, 56);
AT(disttask_step_vtbl, destroy, 64);
SIZE(disttask_step, 16);
AT(disttask_step, impl, 8);

SIZE(disttask_task_type, 128);
AT(disttask_task_type, retry_limit, 4);
AT(disttask_task_type, backoff_base_ms, 8);
AT(disttask_task_type, backoff_cap_ms, 16);
AT(disttask_task_type, parallel_subtasks, 24);
AT(disttask_task_type, max_parallel_subtasks, 28);
AT(disttask_task_type, name, 32);
AT(disttask_task_type, version, 48);
AT(disttask_task_type, impl, 64);
AT(disttask_task_type, configure, 72);
AT(disttask_task_type, next_step, 80);
AT(disttask_task_type, plan, 88);
AT(disttask_task_type, create_step, 96);
AT(disttask_task_type, is_idempotent, 104);
AT(disttask_task_type, is_retryable, 112);
AT(disttask_task_type, get_extension, 120);

SIZE(disttask_plugin, 88);
AT(disttask_plugin, magic, 4);
AT(disttask_plugin, abi_major, 8);
AT(disttask_plugin, abi_minor, 12);
AT(disttask_plugin, name, 16);
AT(disttask_plugin, version, 32);
AT(disttask_plugin, build, 48);
AT(disttask_plugin, init, 64);
AT(disttask_plugin, task_type_count, 72);
AT(disttask_plugin, task_type_at, 80);

SIZE(disttask_ext_validate, 16);
AT(disttask_ext_validate, validate, 8);
SIZE(disttask_ext_revert, 16);
AT(disttask_ext_revert, revert, 8);
SIZE(disttask_ext_cleanup, 16);
AT(disttask_ext_cleanup, cleanup, 8);
SIZE(disttask_ext_connection, 32);
AT(disttask_ext_connection, get, 8);
AT(disttask_ext_connection, acquire, 16);
AT(disttask_ext_connection, release, 24);
