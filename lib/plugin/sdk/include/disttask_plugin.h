/* The disttask plugin ABI, version 0.1: task types as shared objects. C11 and C++20.
 *
 * A plugin exports one function, disttask_plugin_entry_v0, that returns a static descriptor. The host checks
 * struct_size, magic, abi_major and abi_minor in this order before it reads anything else. ABI 0.x may still change
 * with each minor; from 1.0 on structs only grow at their end.
 *
 * Rules. Strings are UTF-8, {ptr, len}, not NUL-terminated, and borrowed for the call. Outputs go through sinks of the
 * host, up to 16 MiB each; whoever allocates frees. No exception crosses. Every struct starts with its size; a reader
 * uses a field only if the size covers it. Nothing here needs the two sides to share an address space beyond the call:
 * a host may run the plugin in a child process.
 *
 * Threads: [load] = one thread, before any work; [step] = one thread at a time per object, which thread may change;
 * [any] = any thread, several at once. A plugin calls a host only during a call that it was given to, from any thread
 * that it joins before it returns. */
/* Laid out by hand: the formatter breaks declarations of function pointers in odd places. */
/* clang-format off */
#ifndef DISTTASK_PLUGIN_H
#define DISTTASK_PLUGIN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DISTTASK_PLUGIN_MAGIC 0x44545031u /* "DTP1" */
#define DISTTASK_ABI_MAJOR 0u
#define DISTTASK_ABI_MINOR 1u

/* What a call came to. Values that a host does not know count as failed. */
typedef int32_t disttask_status;
#define DISTTASK_OK 0
#define DISTTASK_FAILED 1    /* permanent: the subtask, or the plan, fails with the text in the error sink */
#define DISTTASK_RETRY 2     /* transient: again later, within the type's limits */
#define DISTTASK_CANCELLED 3 /* ended because the host asked */
#define DISTTASK_HAND_BACK 4 /* run_subtask, next_step, plan, revert, cleanup: this node cannot, another may */

/* Why a run is cancelled (disttask_host.cancel_cause). */
#define DISTTASK_CAUSE_NONE 0
#define DISTTASK_CAUSE_SHUTDOWN 1
#define DISTTASK_CAUSE_PREEMPTED 2
#define DISTTASK_CAUSE_TASK_PAUSED 3
#define DISTTASK_CAUSE_CANCEL_SUBTASK 4
#define DISTTASK_CAUSE_TASK_GONE 5
#define DISTTASK_CAUSE_SUBTASK_MOVED 6
#define DISTTASK_CAUSE_LEASE_LOST 7
#define DISTTASK_CAUSE_DEADLINE 8
#define DISTTASK_CAUSE_CLOSED 9

#define DISTTASK_LOG_DEBUG 0
#define DISTTASK_LOG_INFO 1
#define DISTTASK_LOG_WARN 2
#define DISTTASK_LOG_ERROR 3

#define DISTTASK_STEP_INIT (-1) /* a task before its first step */
#define DISTTASK_STEP_DONE (-2) /* no further step */

typedef struct disttask_str {
  const char* ptr;
  uint64_t len;
} disttask_str;

/* Takes output: each call of write appends. */
typedef struct disttask_sink {
  void* ctx;
  void (*write)(void* ctx, const char* ptr, uint64_t len);
} disttask_sink;

/* A task as a plugin sees it. */
typedef struct disttask_task {
  uint32_t struct_size;
  int32_t slots; /* slots that one node gives it */
  int64_t id; /* 0 = a trial of a task that does not exist: next_step and plan must not write anything then */
  disttask_str key;
  disttask_str type;
  disttask_str meta; /* what the submitter gave, JSON */
} disttask_task;

/* A subtask. */
typedef struct disttask_subtask {
  uint32_t struct_size;
  int32_t step;
  int64_t id;
  int64_t task_id;
  int32_t ordinal; /* 1, 2, 3 … within the step */
  uint32_t reserved;
  disttask_str meta; /* what the planner wrote */
} disttask_subtask;

typedef struct disttask_resource {
  uint32_t struct_size;
  int32_t slots;
  int64_t memory_bytes;
  int32_t parallel_subtasks; /* how many run_subtask calls may overlap on this node; 0 = as many as it has slots */
  uint32_t reserved;
} disttask_resource;

/* Counters of a run. */
typedef struct disttask_summary {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t row_count;
  int64_t bytes;
  int64_t read_bytes;
} disttask_summary;

/* What the host offers during init, planning and runs. Every function is [any]. */
typedef struct disttask_host {
  uint32_t struct_size;
  uint32_t reserved;
  void* impl; /* the host's own */
  /* Returns an extension of the host, or NULL: DISTTASK_EXT_HOST_… below. */
  const void* (*get_extension)(const struct disttask_host* host, disttask_str id);
  void (*log)(const struct disttask_host* host, int32_t level, disttask_str message);
  /* Why the present call should end; DISTTASK_CAUSE_NONE while it should not. Cheap. */
  int32_t (*cancel_cause)(const struct disttask_host* host);
  /* Waits, less when cancelled; returns the cause. Whoever must block in other ways polls cancel_cause. */
  int32_t (*wait)(const struct disttask_host* host, int64_t milliseconds);
} disttask_host;

/* Given to run_subtask and on_finished: the host, and what concerns this one run. Every function is [any]. */
typedef struct disttask_run {
  uint32_t struct_size;
  uint32_t reserved;
  const disttask_host* host;
  void* impl;
  /* Adds to the run's counters; the host writes them to the summary every few seconds and with the finish. */
  void (*add_progress)(const struct disttask_run* run, int64_t rows, int64_t bytes, int64_t read_bytes);
  /* Gives what an earlier run of this subtask kept; nothing is written when there is none. */
  disttask_status (*get_checkpoint)(const struct disttask_run* run, disttask_sink checkpoint, disttask_sink error);
  /* Keeps a checkpoint; DISTTASK_CANCELLED when the subtask is not this node's any more. */
  disttask_status (*put_checkpoint)(const struct disttask_run* run, disttask_str checkpoint, disttask_sink error);
  /* Names this run, for types that fence their own side effects. */
  int64_t (*run_token)(const struct disttask_run* run);
  /* Milliseconds for which this node may still count on being alive; 0 = begin nothing. */
  int64_t (*valid_for_ms)(const struct disttask_run* run);
} disttask_run;

/* Given to plan. */
typedef struct disttask_planning {
  uint32_t struct_size;
  int32_t num_nodes; /* nodes that could run subtasks now */
  const disttask_host* host;
  void* impl;
  int32_t max_rows; /* of this batch */
  uint32_t reserved;
  int64_t max_bytes; /* of this batch's metas */
  /* Adds a subtask to the batch. More than max_rows, or than max_bytes unless it is a single one, fails the plan. */
  void (*add_subtask)(const struct disttask_planning* planning, disttask_str meta);
  /* Streams result metas of the succeeded subtasks of a step, by ordinal > after; `each` returns 0 to stop. */
  disttask_status (*read_results)(
      const struct disttask_planning* planning, int32_t step, int32_t after, void* ctx,
      int32_t (*each)(void* ctx, int32_t ordinal, disttask_str meta), disttask_sink error);
} disttask_planning;

/* Runs the subtasks of one step of one task on this node. run_subtask and on_finished overlap when the type allows
 * parallel subtasks. */
typedef struct disttask_step disttask_step;
typedef struct disttask_step_vtbl {
  uint32_t struct_size;
  uint32_t reserved;
  disttask_status (*init)(disttask_step* step, const disttask_host* host, disttask_sink error); /* [step] */
  /* Runs a subtask; what is written to `result` becomes its meta (nothing written: the meta stays). [step], [any] if
   * parallel */
  disttask_status (*run_subtask)(
      disttask_step* step, const disttask_run* run, const disttask_subtask* subtask, disttask_sink result,
      disttask_sink error);
  /* After run_subtask was OK, before the finish is written; subtask->meta is the result, `result` may replace it. May
   * be NULL. */
  disttask_status (*on_finished)(
      disttask_step* step, const disttask_run* run, const disttask_subtask* subtask, disttask_sink result,
      disttask_sink error);
  /* Overrides the run's counters; returns 0 to keep them. During a run and right after it. May be NULL. [any] */
  int32_t (*realtime_summary)(disttask_step* step, const disttask_subtask* subtask, disttask_summary* summary);
  /* The task's meta, or what this node gives it, changed; may overlap with run_subtask. [any] */
  disttask_status (*task_meta_modified)(
      disttask_step* step, const disttask_host* host, disttask_str meta, disttask_sink error);
  disttask_status (*resource_modified)(
      disttask_step* step, const disttask_host* host, const disttask_resource* resource, disttask_sink error);
  /* Once, after a good init only. [step] */
  disttask_status (*cleanup)(disttask_step* step, const disttask_host* host, disttask_sink error);
  void (*destroy)(disttask_step* step); /* [step] last */
} disttask_step_vtbl;
struct disttask_step {
  const disttask_step_vtbl* vtbl;
  void* impl; /* the plugin's own */
};

#define DISTTASK_TYPE_RETRY_DEFAULT (-1)

typedef struct disttask_task_type {
  uint32_t struct_size;
  int32_t retry_limit;           /* retries of one subtask; DISTTASK_TYPE_RETRY_DEFAULT = the host's default */
  int64_t backoff_base_ms;       /* 0 = the host's default; at most an hour */
  int64_t backoff_cap_ms;        /* the same */
  int32_t parallel_subtasks;     /* default number at a time on one node; 0 = auto */
  int32_t max_parallel_subtasks; /* what a submitter may ask for; 0 = no limit */
  disttask_str name;
  disttask_str version;
  void* impl; /* the plugin's own */
  /* Once, with `plugins.config.NAME` of the host's configuration as JSON ("{}" when absent). May be NULL. [load] */
  disttask_status (*configure)(
      const struct disttask_task_type* type, const disttask_host* host, disttask_str config, disttask_sink error);
  /* Says which step follows `after`. [any] */
  disttask_status (*next_step)(
      const struct disttask_task_type* type, const disttask_host* host, const disttask_task* task, int32_t after,
      int32_t* next, disttask_sink error);
  /* Plans the next batch of `step` from `cursor` (empty = from the start): the same answer for the same cursor. Writes
   * the next cursor, another one than `cursor` unless it sets *complete to 1 with the last batch. [any] */
  disttask_status (*plan)(
      const struct disttask_task_type* type, const disttask_planning* planning, const disttask_task* task, int32_t step,
      disttask_str cursor, disttask_sink next_cursor, int32_t* complete, disttask_sink error);
  /* Makes the object that runs subtasks of `step`. [any] */
  disttask_status (*create_step)(
      const struct disttask_task_type* type, const disttask_host* host, const disttask_task* task, int32_t step,
      const disttask_resource* resource, disttask_step** out, disttask_sink error);
  /* 1 if this subtask may run again after a run without a result. [any] */
  int32_t (*is_idempotent)(const struct disttask_task_type* type, const disttask_subtask* subtask);
  /* 1 if a failure with this text is worth a retry. May be NULL. [any] */
  int32_t (*is_retryable)(const struct disttask_task_type* type, disttask_str error);
  /* Returns an extension of the type, or NULL: DISTTASK_EXT_TYPE_… below. May be NULL. [any] */
  const void* (*get_extension)(const struct disttask_task_type* type, disttask_str id);
} disttask_task_type;

typedef struct disttask_plugin {
  uint32_t struct_size;
  uint32_t magic;
  uint32_t abi_major;
  uint32_t abi_minor;
  disttask_str name;
  disttask_str version;
  disttask_str build;                                                      /* for people: compiler, date, commit */
  disttask_status (*init)(const disttask_host* host, disttask_sink error); /* [load] once; may be NULL */
  uint32_t (*task_type_count)(void);                                       /* [load] after init */
  const disttask_task_type* (*task_type_at)(uint32_t index);               /* [load] after init */
} disttask_plugin;

/* The one exported symbol. */
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const disttask_plugin* disttask_plugin_entry_v0(void);
typedef const disttask_plugin* (*disttask_plugin_entry)(void);

/* ---- extensions of a task type ---- */

/* Checks a task meta, without a daemon: text in the error sink says what is wrong and where. */
#define DISTTASK_EXT_TYPE_VALIDATE "disttask.validate/1"
typedef struct disttask_ext_validate {
  uint32_t struct_size;
  uint32_t reserved;
  disttask_status (*validate)(const disttask_task_type* type, disttask_str meta, disttask_sink error); /* [any] */
} disttask_ext_validate;

/* Undoes what a failed or cancelled task did outside of its rows; called after all of them are at rest, perhaps more
 * than once, also while an earlier call goes on elsewhere: it must be idempotent. */
#define DISTTASK_EXT_TYPE_REVERT "disttask.revert/1"
typedef struct disttask_ext_revert {
  uint32_t struct_size;
  uint32_t reserved;
  disttask_status (*revert)( /* [any] */
      const disttask_task_type* type, const disttask_host* host, const disttask_task* task, disttask_sink error);
} disttask_ext_revert;

/* Removes what an ended task left behind outside of its rows: called once it has succeeded (`succeeded` 1) or was
 * reverted (0, after the revert hook), before it moves to history. Perhaps more than once, also while an earlier call
 * goes on elsewhere. */
#define DISTTASK_EXT_TYPE_CLEANUP "disttask.cleanup/1"
typedef struct disttask_ext_cleanup {
  uint32_t struct_size;
  uint32_t reserved;
  disttask_status (*cleanup)( /* [any] */
      const disttask_task_type* type, const disttask_host* host, const disttask_task* task, int32_t succeeded,
      disttask_sink error);
} disttask_ext_cleanup;

/* ---- extensions of the host ---- */

/* Named connections of the host's configuration that this task type may use. */
#define DISTTASK_EXT_HOST_CONNECTION "disttask.connection/1"
typedef struct disttask_ext_connection {
  uint32_t struct_size;
  uint32_t reserved;
  /* Writes connection `name` as JSON: {"host","port"} or {"socket"}, "user", "password", "tls"
   * {"mode","ca","cert","key"}, "schemas" [names that the type may write to; empty = all], "max_connections" (on this
   * node), "ledger" ("schema.table"). The secret is read anew at each call. DISTTASK_FAILED with one sentence when
   * there is no such connection or this type may not use it. [any] */
  disttask_status (*get)(const disttask_host* host, disttask_str name, disttask_sink json, disttask_sink error);
  /* Takes one of the connection's max_connections places of this node, waiting until cancelled; DISTTASK_OK or
   * DISTTASK_CANCELLED. [any] */
  disttask_status (*acquire)(const disttask_host* host, disttask_str name, disttask_sink error);
  void (*release)(const disttask_host* host, disttask_str name);
} disttask_ext_connection;

#ifdef __cplusplus
}
#endif
#endif
