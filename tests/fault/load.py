"""Keeps a number of tasks of many kinds under way, and knows what each must come to."""

import itertools
import json
import os
import random
import subprocess
import threading
import time

import store

ENDED = ("succeed", "failed", "reverted", "cancelled")

# Name, weight, meta. Times in milliseconds; `flags` go to task submit.
KINDS = [
    ("quick", 4, {"subtasks": 120, "jitter_ms": 15}, ["--parallel", "auto"]),
    ("serial", 2, {"subtasks": 25, "sleep_ms": 20, "jitter_ms": 60}, []),
    ("steps", 4, {"subtasks": 30, "steps": 3, "sleep_ms": 30, "jitter_ms": 120}, ["--parallel", "2"]),
    ("slow", 2, {"subtasks": 6, "sleep_ms": 1500, "jitter_ms": 2000, "checkpoints": 300}, ["--slots", "2"]),
    ("checkpoints", 2, {"subtasks": 20, "sleep_ms": 400, "jitter_ms": 300, "checkpoints": 50}, ["--parallel", "3"]),
    ("once", 2, {"subtasks": 20, "sleep_ms": 100, "jitter_ms": 300, "idempotent": False}, ["--parallel", "2"]),
    ("fails", 1, {"subtasks": 30, "sleep_ms": 50, "jitter_ms": 100, "fail_at": 17}, ["--parallel", "2"]),
    ("kills", 2, {"subtasks": 20, "sleep_ms": 20, "jitter_ms": 100, "kill_at": 7, "times": 2}, ["--parallel", "2"]),
    ("retries", 2, {"subtasks": 20, "sleep_ms": 20, "jitter_ms": 100, "retry_at": 5, "times": 3}, ["--parallel", "2"]),
    ("batch", 4, {"rows": 4000}, ["--parallel", "2"]),
]
# Of the type sql_batch: `n = n + 1` over a table of its own, whose chunks take so long that faults fall into them.
BATCH = "batch"
# Submitted before its running subtasks are given to other nodes.
MOVED_BATCH = (BATCH, {"rows": 6000}, ["--parallel", "2", "--priority", "1"])
# Submitted before a node goes away for long: its runs outlast the lease, so a cut off node that did not end them would be seen. Two on each
# node, with room for those of another, and before all other tasks.
LONG = ("long", {"subtasks": 6, "sleep_ms": 22000, "jitter_ms": 3000}, ["--parallel", "4", "--priority", "1"])


# Submitted before the owner or a planner goes away: its planning takes some seconds and many batches.
PLANNED = ("planned", {"subtasks": 300, "steps": 2, "plan_ms": 250, "jitter_ms": 5}, ["--parallel", "auto", "--priority", "1"])


def batch_meta(table):
    return {"connection": "target", "table": table, "statement": f"update {table} set n = n + 1 where {{range}} and sleep(0.002) = 0",
            "chunk_rows": 20, "chunk_time": "0s", "subtask_rows": 500}


def other_meta(task, number):
    """Returns a meta by which the task does the same."""
    if task["kind"] == BATCH:
        return dict(task["meta"], chunk_rows=10 + number % 30)
    return dict(task["meta"], note=number)


class Load:
    """Submits through disttaskctl on a thread of its own."""

    def __init__(self, pair, build, seed, at_once, log):
        self.pair = pair
        self.build = build
        self.rng = random.Random(f"load {seed}")
        self.at_once = at_once
        self.log = log
        self.tasks = {}  # id → {key, kind, meta}, of a batch also table and rows
        self.numbers = itertools.count(1)
        self.spoiled = {}  # id → why it need not succeed
        self.refused = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def ctl(self, arguments, limit=30):
        environment = dict(os.environ, DISTTASK_STORE=self.pair.dsn())
        return subprocess.run([f"{self.build}/daemon/ctl/disttaskctl", *arguments], capture_output=True, text=True, timeout=limit,
                              env=environment, check=False)

    def spoil(self, task_id, why):
        self.spoiled.setdefault(task_id, why)

    def submit(self, kind, meta, flags):
        """Submits a task and returns its id; the same key again and again until it is in."""
        key = f"{kind}-{next(self.numbers)}"
        more = {}
        type_name = "chaos"
        if kind == BATCH:
            more = {"table": f"{store.BATCH_SCHEMA}.{key.replace('-', '_')}", "rows": meta["rows"]}
            type_name, meta = "sql_batch", batch_meta(more["table"])
        while True:
            with self.pair.lock:
                try:
                    if more:
                        self._make_table(**more)
                    result = self.ctl(["task", "submit", "--type", type_name, "--key", key, "--if-absent", "--meta", json.dumps(meta), *flags,
                                       "-o", "json"])
                except subprocess.TimeoutExpired:
                    continue
            if result.returncode == 0:
                task_id = int(json.loads(result.stdout)["id"])
                self.tasks[task_id] = {"key": key, "kind": kind, "meta": meta, **more}
                return task_id
            if result.returncode not in (1, 69):
                self.refused.append(f"{key}: {result.returncode} {result.stderr}")
                return None
            if self.stopping.wait(0.3):
                return None

    def _make_table(self, table, rows):
        self.pair.sql(f"create table if not exists {table} (id int primary key, n int not null); "
                      f"insert ignore into {table} select 2 * seq, 0 from seq_1_to_{rows}")

    def batches(self):
        """Returns, for each batch, what became of its rows: id → (rows at first, {n: rows with it}, changed rows by the ledger)."""
        found = {}
        for task_id, task in self.tasks.items():
            if task["kind"] == BATCH:
                applied = {int(n): int(rows) for n, rows in self.pair.sql(f"select n, count(*) from {task['table']} group by n")}
                noted = self.pair.sql(f"select coalesce(sum(num_rows), 0) from {store.LEDGER} where task_id={task_id} and step=1")
                found[task_id] = (task["rows"], applied, int(noted[0][0]))
        return found

    def unfinished(self):
        rows = self.pair.sql("select id from tidb_global_task where state not in ('succeed','failed','reverted','cancelled')")
        return {int(row[0]) for row in rows}

    def start(self):
        self.thread.start()

    def _run(self):
        weights = [kind[1] for kind in KINDS]
        while not self.stopping.is_set():
            try:
                room = self.at_once - len(self.unfinished())
                for _ in range(max(0, room)):
                    name, _, meta, flags = self.rng.choices(KINDS, weights)[0]
                    size = "rows" if name == BATCH else "subtasks"
                    meta = dict(meta, **{size: max(1, int(meta[size] * self.rng.uniform(0.4, 1.4)))})
                    self.submit(name, meta, flags)
            except Exception as problem:  # pylint: disable=broad-except  # the store is being restarted
                self.log(f"load: {problem}")
            self.stopping.wait(0.2)

    def stop(self):
        self.stopping.set()
        self.thread.join(60)

    def drain(self, limit):
        """Waits until every task has ended; returns those that have not."""
        end = time.monotonic() + limit
        while True:
            left = self.unfinished()
            if not left or time.monotonic() > end:
                return left
            time.sleep(0.2)
