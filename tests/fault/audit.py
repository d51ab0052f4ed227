"""Judges a chaos run by what the store committed (its binary log) and by what the runs themselves wrote down.

Each finding is one sentence; docs/faults.md says what each check protects.
"""

import bisect
import json
import binlog
from collections import Counter, defaultdict, namedtuple

SUBTASK_ENDS = ("succeed", "failed", "canceled")
TASK_ENDS = ("succeed", "failed", "reverted")
SUBTASK_STEPS = {
    "pending": ("pending", "running", "paused", "canceled", "failed"),
    "running": ("running", "pending", "paused", "canceled", "failed", "succeed"),
    "paused": ("paused", "pending", "canceled"),
}
NOT_IDEMPOTENT = "not idempotent"

Run = namedtuple("Run", "node pid subtask task step ordinal token began ended outcome")


def read_runs(paths):
    """Returns the runs that the notes of the nodes tell; `paths` is node → file. A run without an end has ended=None."""
    runs = []
    for node, path in paths.items():
        open_runs = {}
        with open(path, encoding="utf-8") as file:
            for line in file:
                note = json.loads(line)
                key = (note["pid"], note["subtask"], note["token"])
                if note["what"] == "start":
                    open_runs[key] = note
                else:
                    start = open_runs.pop(key)
                    runs.append(_run(node, start, note["at"], note["outcome"]))
        runs.extend(_run(node, start, None, None) for start in open_runs.values())
    return sorted(runs, key=lambda run: run.began)


def _run(node, note, ended, outcome):
    return Run(node, note["pid"], note["subtask"], note["task"], note["step"], note["ordinal"], note["token"], note["at"], ended, outcome)


class Auditor:
    """`lives` is node → processes (node.Life), `tasks` id → {key, kind, meta}, `spoiled` id → why it need not succeed, `meddled` the ids of
    subtasks whose running row was changed behind its node, `batches` what became of the rows of each batch (load.Load.batches)."""

    def __init__(self, changes, runs, lives, tasks, spoiled=None, meddled=None, batches=None):
        self.changes = changes
        self.runs = runs
        self.lives = lives
        self.tasks = tasks
        self.spoiled = spoiled or {}
        self.meddled = meddled or set()
        self.batches = batches or {}
        self.violations = []
        self.counts = Counter()
        self.rows = {}  # subtask id → last row
        self.left = Counter()  # subtasks deleted from the live table
        self.archived = Counter()  # subtasks that came to history
        self.task_rows = {}
        self.starts = defaultdict(list)  # token → [(seq, node, subtask)]
        self.first_token = {}  # a token that a checkpoint put in → the one of the start
        self.node_lives = defaultdict(lambda: ([], []))  # node → (seqs, lives)
        self.ends = Counter()
        self.task_ends = Counter()
        self.steps_begun = set()
        self.plans = {}  # (task, step) → last row
        self.last_ordinal = defaultdict(int)  # (task, step) → of the subtasks made so far
        self.fenced = set()  # transactions that begin with the owner's fence
        self.cancelled = set()  # tasks that were cancelling

    def violation(self, text):
        self.violations.append(text)

    def audit(self):
        """Makes all checks; returns the violations."""
        for change in self.changes:
            if change.table == "disttask_owner":
                self._owner_change(change)
            elif change.table == "disttask_plan":
                self._plan_change(change)
            elif change.table == "tidb_background_subtask":
                self._subtask_change(change)
            elif change.table == "tidb_background_subtask_history":
                self._history_change(change)
            elif change.table in ("tidb_global_task", "tidb_global_task_history"):
                self._task_change(change)
            elif change.table == "disttask_node" and change.after is not None:
                seqs, lives = self.node_lives[change.after["node"]]
                if not lives or lives[-1] != change.after["life"]:
                    seqs.append(change.seq)
                    lives.append(change.after["life"])
        self._check_ends()
        self._check_plans()
        self._check_tasks()
        self._check_runs()
        self._check_overlaps()
        self._check_batches()
        return self.violations

    # --- rows ---

    def _subtask_change(self, change):
        before, after = change.before, change.after
        if after is None:
            if before["state"] not in SUBTASK_ENDS:
                self.violation(f"subtask {before['id']} left the live table while {before['state']} (change {change.seq})")
            self.left[before["id"]] += 1
            return
        self.rows[after["id"]] = after
        if before is None:
            self.counts["subtasks"] += 1
            self._check_step_order(change)
            self._check_planned(change)
            return
        name = f"subtask {after['id']} of task {after['task']} (change {change.seq}, {change.time})"
        was, now = before["state"], after["state"]
        if was in SUBTASK_ENDS:
            if after != before:
                self.violation(f"{name} changed after its end: {before} -> {after}")
            return
        if now not in SUBTASK_STEPS[was]:
            self.violation(f"{name} went from {was} to {now}")
        if was == "running" and before["node"] != after["node"] and after["id"] not in self.meddled:
            self.violation(f"{name} changed its node while running: {before['node']} -> {after['node']}")
        if was == "pending" and (now in ("paused", "canceled") or before["node"] != after["node"]) or was == "paused" and now != "paused":
            self._check_fence(change, f"{name} went from {was} on {before['node']} to {now} on {after['node']}")
        if now == "running":
            self._into_running(change, was)
        if now in SUBTASK_ENDS:
            self.ends[after["id"]] += 1
            self.counts[now] += 1
        if now == "succeed":
            self._check_result(name, before, after)

    def _history_change(self, change):
        after = change.after
        if after is None:
            return
        self.archived[after["id"]] += 1
        if after != self.rows.get(after["id"]):
            self.violation(f"subtask {after['id']} came to history other than it was (change {change.seq}): {self.rows.get(after['id'])} -> {after}")

    def _into_running(self, change, was):
        before, after = change.before, change.after
        if was == "running":
            if before["token"] != after["token"]:
                self.first_token[after["token"]] = self.first_token.get(before["token"], before["token"])
            return
        if self.task_rows.get(after["task"], {}).get("state") == "paused":
            self.violation(f"subtask {after['id']} began although task {after['task']} is paused (change {change.seq})")
        if not after["token"]:
            self.violation(f"subtask {after['id']} runs without a token (change {change.seq})")
        if self.starts[after["token"]]:
            self.counts["starts that came twice"] += 1
        self.starts[after["token"]].append((change.seq, after["node"], after["id"]))
        self.counts["starts"] += 1

    def _check_result(self, name, before, after):
        if after["task"] in self.batches:
            return  # their runs note nothing but in the ledger
        token = self.first_token.get(before["token"], before["token"])
        if before["node"] != after["node"]:
            self.violation(f"{name} was finished by {after['node']} but ran on {before['node']}")
        result = json.loads(after["meta"])
        if result.get("token") != token or result.get("ordinal") != after["ordinal"] or result.get("step") != after["step"]:
            self.violation(f"{name} has the result of another run: token {token}, result {after['meta'][:200]}")

    def _check_step_order(self, change):
        after = change.after
        if after["state"] != "pending":
            self.violation(f"subtask {after['id']} was planned as {after['state']}")
        if after["step"] == 1:
            return
        if (after["task"], after["step"]) in self.steps_begun:
            return
        self.steps_begun.add((after["task"], after["step"]))
        left = [row["id"] for row in self.rows.values() if row["task"] == after["task"] and row["step"] == after["step"] - 1
                and row["state"] != "succeed"]
        if left:
            self.violation(f"step {after['step']} of task {after['task']} began while subtasks {left[:10]} had not succeeded")

    # --- the scheduler role and plans ---

    def _owner_change(self, change):
        """Each transaction of the scheduler begins with a count in the owner's row, where that still has its life."""
        before, after = change.before, change.after
        if before is None or after is None:
            return
        if change.transaction in self.fenced and before["life"] == after["life"] and before["count"] == after["count"]:
            return  # a count of modifications, under the fence
        self.fenced.add(change.transaction)
        if before["life"] == after["life"]:
            if after["count"] != before["count"] + 1:
                self.violation(f"the owner's count went from {before['count']} to {after['count']} (change {change.seq})")
            self.counts["transactions of owners"] += 1
        else:
            self.counts["changes of the owner"] += after["life"] != 0

    def _check_fence(self, change, what):
        """What only the owner may do is done under its fence, or by the runner itself."""
        if change.transaction not in self.fenced and change.server != binlog.MEDDLER:
            self.violation(f"{what} without the owner's fence")

    def _plan_change(self, change):
        before, after = change.before, change.after
        if after is None:
            self._check_fence(change, f"the plan of step {before['step']} of task {before['task']} was deleted (change {change.seq})")
            return
        if before is None:
            self._check_fence(change, f"a plan for task {after['task']} was made (change {change.seq})")
        elif before["next"] > after["next"] or before["complete"] > after["complete"]:
            self.violation(f"a plan went back (change {change.seq}): {before} -> {after}")
        if after["kind"] == "step" and after["step"] is not None:
            self.plans[after["task"], after["step"]] = (change.transaction, after)
            if before is None or before["next"] != after["next"]:
                self.counts["batches"] += 1

    def _check_planned(self, change):
        """A subtask comes with its plan's next ordinal, in a transaction that moves the plan; none after the plan is complete or the task has stopped."""
        after = change.after
        key = after["task"], after["step"]
        name = f"subtask {after['id']} of task {after['task']} (change {change.seq})"
        if after["ordinal"] != self.last_ordinal[key] + 1:
            self.violation(f"{name} was planned with ordinal {after['ordinal']} after {self.last_ordinal[key]}")
        self.last_ordinal[key] = after["ordinal"]
        transaction, plan = self.plans.get(key, (None, None))
        if plan is None or transaction != change.transaction or plan["next"] <= after["ordinal"]:
            self.violation(f"{name} was planned without its plan: {plan}")
        state = self.task_rows.get(after["task"], {}).get("state")
        if state not in ("pending", "running"):
            self.violation(f"{name} was planned although the task is {state}")

    def _check_plans(self):
        for (task, step), (_, plan) in self.plans.items():
            if plan["next"] != self.last_ordinal[task, step] + 1:
                self.violation(f"step {step} of task {task} has {self.last_ordinal[task, step]} subtasks, its plan made {plan['next'] - 1}")

    def _task_change(self, change):
        if change.after is None:
            return
        self.task_rows[change.after["id"]] = change.after
        if change.after["state"] == "cancelling":
            self.cancelled.add(change.after["id"])
        if change.table != "tidb_global_task" or change.before is None:
            return
        was, now = change.before["state"], change.after["state"]
        if was in TASK_ENDS and was != now:
            self.violation(f"task {change.after['id']} changed after its end: {was} -> {now} (change {change.seq})")
        if was != now and now in (*TASK_ENDS, "reverting", "paused"):
            self._check_fence(change, f"task {change.after['id']} went from {was} to {now} (change {change.seq})")
        if now in TASK_ENDS and was != now:
            self.task_ends[change.after["id"]] += 1

    def _check_ends(self):
        self.counts["in history"] = len(self.archived)
        for row_id in self.left | self.archived:
            if (self.left[row_id], self.archived[row_id]) != (1, 1):
                self.violation(f"subtask {row_id} left the live table {self.left[row_id]} times and came to history {self.archived[row_id]} times")
        for row_id, row in self.rows.items():
            if self.ends[row_id] != 1:
                self.violation(f"subtask {row_id} of task {row['task']} ended {self.ends[row_id]} times; its row: {row}")

    # --- tasks ---

    def _check_tasks(self):
        by_task = defaultdict(list)
        for row in self.rows.values():
            by_task[row["task"]].append(row)
        for task_id, task in self.tasks.items():
            row = self.task_rows.get(task_id)
            name = f"task {task_id} ({task['key']})"
            if row is None or row["state"] not in TASK_ENDS:
                self.violation(f"{name} did not end: {row}")
                continue
            self.counts[f"tasks {row['state']}"] += 1
            if self.task_ends[task_id] != 1:
                self.violation(f"{name} ended {self.task_ends[task_id]} times")
            if row["state"] == "succeed" and task_id in self.cancelled:
                self.violation(f"{name} succeeded although it was cancelled")
            if row["state"] == "succeed" and task_id in self.batches:
                self._check_succeeded(name, by_task[task_id])
            elif row["state"] == "succeed":
                self._check_success(name, task, by_task[task_id])
            elif not self._may_fail(task_id, task, by_task[task_id]):
                bad = [(each["id"], each["state"], each["error"]) for each in by_task[task_id] if each["state"] != "succeed"]
                self.violation(f"{name} is {row['state']} for no reason: {row['error']}; {bad[:3]}")

    @staticmethod
    def _must_fail(task):
        return 1 <= task["meta"].get("fail_at", 0) <= task["meta"]["subtasks"]

    def _may_fail(self, task_id, task, rows):
        if task_id in self.spoiled or self._must_fail(task):
            return True
        # A run that may not be repeated fails with its node, and its task with it.
        return task["meta"].get("idempotent") is False and any(NOT_IDEMPOTENT in (row["error"] or "") for row in rows)

    def _check_success(self, name, task, rows):
        if self._must_fail(task):
            self.violation(f"{name} succeeded although a subtask of it fails")
        expected, steps = task["meta"]["subtasks"], task["meta"].get("steps", 1)
        results = {(row["step"], row["ordinal"]): row for row in rows}
        wanted = {(step, ordinal) for step in range(1, steps + 1) for ordinal in range(1, expected + 1)}
        if set(results) != wanted or len(rows) != len(wanted):
            self.violation(f"{name} succeeded with {len(rows)} subtasks instead of {len(wanted)}")
            return
        self._check_succeeded(name, rows)
        for (step, ordinal), row in results.items():
            if row["state"] == "succeed" and step > 1 and json.loads(row["meta"]).get("input") != results[step - 1, ordinal]["meta"]:
                self.violation(f"{name}: subtask {row['id']} was not made from the result of step {step - 1}")

    def _check_succeeded(self, name, rows):
        for row in rows:
            if row["state"] != "succeed":
                self.violation(f"{name} succeeded although subtask {row['id']} is {row['state']}")

    def _check_batches(self):
        """Each row was changed once by a batch that succeeded, once at most by another, and the ledger knows how many were."""
        for task_id, (rows, applied, noted) in self.batches.items():
            name = f"batch {task_id} ({self.tasks[task_id]['key']})"
            self.counts["rows of batches"] += rows
            again = {n: count for n, count in applied.items() if n not in (0, 1)}
            if again:
                self.violation(f"{name} changed rows more than once (times: rows): {again}")
            if sum(applied.values()) != rows:
                self.violation(f"{name} has {sum(applied.values())} rows instead of {rows}")
            if self.task_rows.get(task_id, {}).get("state") == "succeed" and applied.get(0, 0) > 0:
                self.violation(f"{name} succeeded and left {applied[0]} rows of {rows} as they were")
            changed = sum(n * count for n, count in applied.items())
            if changed != noted:
                self.violation(f"{name} changed {changed} rows, its ledger says {noted}")

    # --- runs ---

    def _life_of(self, run):
        return next((life for life in self.lives.get(run.node, []) if life.pid == run.pid and life.began <= run.began and
                     (life.ended is None or run.began <= life.ended)), None)

    def _start_of(self, run):
        """Returns the first committed start of a run as (seq, node, subtask), None when there is none."""
        return next((start for start in self.starts.get(run.token, []) if start[2] == run.subtask), None)

    def _check_runs(self):
        self.counts["runs"] = len(self.runs)
        results = {}
        seen = Counter()
        for run in self.runs:
            name = f"the run of subtask {run.subtask} on {run.node} with token {run.token}"
            if run.outcome == "ok":
                results[run.token] = run
            seen[run.token] += 1
            start = self._start_of(run)
            if start is None:
                self.violation(f"{name} has no committed start")
            elif start[1] != run.node:
                self.violation(f"{name} was started for {start[1]}")
            life = self._life_of(run)
            if life is None:
                self.violation(f"{name} belongs to no process ({run.pid})")
            elif run.ended is None and life.ended is None:
                self.violation(f"{name} never returned, and its process lives")
            if seen[run.token] > 1:
                self.violation(f"{name} is the second with this token")
        for row in self.rows.values():
            if row["state"] == "succeed" and row["task"] not in self.batches and json.loads(row["meta"]).get("token") not in results:
                self.violation(f"subtask {row['id']} has a result that no run returned")
        once = {task_id for task_id, task in self.tasks.items() if task["meta"].get("idempotent") is False}
        for subtask, times in Counter(run.subtask for run in self.runs if run.task in once).items():
            if times > 1:
                self.violation(f"subtask {subtask} may not be repeated, but ran {times} times")

    def _check_overlaps(self):
        by_subtask = defaultdict(list)
        for run in self.runs:
            by_subtask[run.subtask].append(run)
        for runs in by_subtask.values():
            self.counts["repeated runs"] += len(runs) - 1
            for at, older in enumerate(runs):
                life = self._life_of(older)
                until = older.ended if older.ended is not None else (life.ended if life else None)
                for younger in runs[at + 1:]:
                    if until is None or younger.began < until:
                        self._judge_overlap(older, younger, life)

    def _judge_overlap(self, older, younger, life):
        name = (f"subtask {older.subtask} of task {older.task}: the run on {younger.node} (pid {younger.pid}, token {younger.token}, began {younger.began}) overlaps "
                f"with the one on {older.node} (pid {older.pid}, token {older.token}, {older.began} to {older.ended})")
        if (older.node, older.pid) == (younger.node, younger.pid):
            self._overlap(older, f"{name} in the same process")
            return
        first, second = self._start_of(older), self._start_of(younger)
        if first is None or second is None:
            return  # reported already
        seqs, lives = self.node_lives[older.node]
        at = bisect.bisect_right(seqs, first[0]) - 1
        evicted = at >= 0 and at + 1 < len(seqs) and seqs[at + 1] < second[0]
        if not evicted:
            self._overlap(older, f"{name}, whose life {lives[at] if at >= 0 else '?'} was not evicted")
        elif life is not None and any(began <= younger.began and (until is None or until >= older.began) for began, until in life.frozen):
            self.counts["overlaps with a stopped, evicted process"] += 1
        else:
            self._overlap(older, f"{name}, which was evicted but had not been stopped: it should have ended its run before")

    def _overlap(self, older, text):
        if older.subtask in self.meddled:
            self.counts["overlaps made by changing a running row by hand"] += 1
        else:
            self.violation(text)
