#!/usr/bin/env python3
"""Runs real daemons on a store behind gates, breaks things by a plan that is drawn from a seed, and lets an auditor judge what was left.

usage: chaos.py --minutes N --nodes 3 --seed S --build DIR [--keep]

Exit code 0: no violation. 1: violations, or the run itself failed; the evidence folder is kept and named then. See docs/faults.md.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter

import audit
import binlog
import faults
import load
import node
import plan
import store

DRAIN = 600
SETTLE = 60
HISTORY_AFTER = 5  # seconds: moves to history fall into faults, too
WARM_UP = [("quick", {"subtasks": 60, "jitter_ms": 15}, ["--parallel", "auto"]),
           ("steps", {"subtasks": 12, "steps": 2, "sleep_ms": 100, "jitter_ms": 100}, ["--parallel", "2"]),
           ("slow", {"subtasks": 6, "sleep_ms": 700, "jitter_ms": 1, "checkpoints": 300}, []),
           (load.BATCH, {"rows": 2000}, ["--parallel", "2"])]


class Chaos:
    """One run."""

    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.began = time.monotonic()
        self.log_file = open(os.path.join(folder, "runner.log"), "w", encoding="utf-8")  # pylint: disable=consider-using-with
        self.problems = []
        self.pair = store.Store(folder, self.log)
        self.gates = None
        self.nodes = []
        self.load = None
        self.faults = None

    def log(self, text, show=False):
        line = f"{time.monotonic() - self.began:8.2f} {text}"
        self.log_file.write(line + "\n")
        self.log_file.flush()
        if show:
            print(line, flush=True)

    def say(self, text):
        self.log(text, show=True)

    def start(self):
        self.pair.start()
        self.load = load.Load(self.pair, self.options.build, self.options.seed, 2 * self.options.nodes, self.log)
        result = self.load.ctl(["schema", "install"])
        if result.returncode != 0:
            raise RuntimeError(f"schema install: {result.stderr}")
        self.gates, self.nodes = node.make_nodes(self.folder, self.options.nodes, self.pair.primary.port, self.options.build, clock=True, history_after=HISTORY_AFTER)
        result = self.load.ctl(["schema", "install", "--connection", "target", "--config", self.nodes[0].config])
        if result.returncode != 0:
            raise RuntimeError(f"schema install of the ledger: {result.stderr}")
        self.faults = faults.Faults(self.pair, self.gates, self.nodes, self.load, self.log, self.make_node)
        for each in self.nodes:
            each.start()
        for each in self.nodes:
            if not each.ready.wait(180):
                raise RuntimeError(f"{each.name} did not get ready; see {self.folder}/{each.name}.1.log")

    def make_node(self, name):
        with self.pair.lock:  # a switch leads all gates to the other server
            return node.join(self.folder, name, self.gates, self.pair.primary.port, self.options.build, history_after=HISTORY_AFTER)

    def all_nodes(self):
        return [*self.nodes, *(self.faults.joined if self.faults is not None else [])]

    def levels(self):
        """Returns the most threads and descriptors of any node, and the store's connections."""
        counts = [each.counts() or {} for each in self.nodes]
        level = {what: max(count.get(what, 0) for count in counts) for what in ("threads", "threads kept by pools", "descriptors")}
        rows = self.pair.sql(f"select count(*) from information_schema.processlist where user in ('{store.ACCOUNT}','{store.BATCH_ACCOUNT}')")
        level["connections"] = int(rows[0][0])
        return level

    def sessions(self):
        """Returns who is connected to the store: user, seconds since the last statement, and what that does."""
        return self.pair.sql("select user, round(time_ms / 1000, 1), command, left(coalesce(info, ''), 80) from information_schema.processlist "
                             f"where user in ('{store.ACCOUNT}','{store.BATCH_ACCOUNT}') order by user, time_ms")

    def warm_up(self):
        """Lets the nodes do each kind of thing once and come to rest: what they use then is what they may use in the end."""
        for kind, meta, flags in WARM_UP:
            self.load.submit(kind, meta, flags)
        left = self.load.drain(180)
        if left:
            raise RuntimeError(f"tasks {left} did not end although nothing was broken")
        highest = {}
        quiet = time.monotonic() + 15
        while time.monotonic() < quiet:
            # The last seconds count: connections and task executors have ended by then.
            if time.monotonic() > quiet - 4:
                for what, count in self.levels().items():
                    highest[what] = max(highest.get(what, 0), count)
            time.sleep(0.5)
        highest["threads kept by pools"] = node.MOST_POOLED
        # Poll and round of an owner come every two seconds: where they fall together their node keeps a session more.
        highest["connections"] += len(self.nodes)
        return highest

    def break_things(self):
        seconds = self.options.minutes * 60
        faults_drawn = plan.draw_plan(self.options.seed, seconds, [each.name for each in self.nodes], node.LEASE, clock=True)
        for fault in faults_drawn:
            self.log("plan " + plan.describe(fault), show=True)
        self.load.start()
        began = time.monotonic()
        for fault in faults_drawn:
            time.sleep(max(0.0, began + fault.at - time.monotonic()))
            self.log("do   " + plan.describe(fault))
            self.faults.run(fault)
            self.check_surprises()
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        self.say("faults end; the tasks go on to their end")
        self.load.stop()
        if not self.faults.join(120):
            self.problems.append("a fault did not come to its end")

    def check_surprises(self):
        for each in self.all_nodes():
            while each.surprises:
                text = each.surprises.pop(0)
                self.say(text)
                self.problems.append(text)

    def drain(self):
        for each in self.nodes:
            self.gates.restore(each.name)
            each.step_clock(0)
            each.start()
            self.faults.uncordon(each.name)
        left = self.load.drain(DRAIN)
        for task_id in sorted(left):
            task = self.pair.sql(f"select id, task_key, state, step, coalesce(error,'') from tidb_global_task where id={task_id}")
            rows = self.pair.sql(f"select id, step, exec_id, state, ddl_physical_tid from tidb_background_subtask where task_key='{task_id}' and "
                                 "state not in ('succeed','failed','canceled') limit 5")
            plans = self.pair.sql(f"select * from disttask_plan where task_id={task_id}")
            self.problems.append(f"task did not end within {DRAIN} s: {task} {rows} {plans}")

    def check_rest(self, baseline):
        """All slots free, nothing more in use than before the faults, each node registered."""
        end = time.monotonic() + SETTLE
        while True:
            busy = [f"{each.name}: {each.status}" for each in self.nodes if not each.idle()]
            levels = self.levels()
            above = {what: (count, baseline[what]) for what, count in levels.items() if count > baseline[what]}
            metas = {row[0] for row in self.pair.sql("select host from dist_framework_meta")}
            lost = [each.name for each in self.nodes if each.name not in metas]
            if not busy and not above and not lost:
                break
            if time.monotonic() > end:
                if busy:
                    self.problems.append(f"slots are not free {SETTLE} s after the last task: {busy}")
                if above:
                    self.problems.append(f"more in use than before the faults (now, before): {above}; threads: "
                                         f"{[(each.name, each.thread_names()) for each in self.nodes]}; sessions: {self.sessions()}")
                if lost:
                    self.problems.append(f"nodes are not in dist_framework_meta: {lost}")
                break
            time.sleep(0.5)
        self.say(f"at rest: {levels}, before the faults: {baseline}")

    def stop_nodes(self):
        for each in self.nodes:
            code = each.stop()
            if code != 0:
                self.problems.append(f"{each.name} ended with {code} at the final stop")
        self.check_surprises()

    def judge(self):
        changes = binlog.read(self.pair.primary.folder, os.path.join(self.folder, "changes.txt"))
        runs = audit.read_runs({each.name: path for each in self.all_nodes()
                                if os.path.exists(path := os.path.join(self.folder, "audit", f"runs-{each.name}"))})
        lives = {each.name: each.lives for each in self.all_nodes()}
        auditor = audit.Auditor(changes, runs, lives, self.load.tasks, self.load.spoiled, self.faults.meddled, self.load.batches())
        auditor.audit()
        return auditor

    def run(self):
        self.start()
        baseline = self.warm_up()
        self.say(f"{self.options.nodes} nodes are up; idle level of a node, and of the store: {baseline}")
        self.break_things()
        self.drain()
        self.check_rest(baseline)
        self.stop_nodes()
        auditor = self.judge()
        self.report(auditor)
        return not (auditor.violations or self.problems)

    def report(self, auditor):
        problems = self.problems + self.faults.errors + self.load.refused
        self.problems = problems
        ends = Counter(life.code for each in self.all_nodes() for life in each.lives)
        self.say("faults: " + ", ".join(f"{kind} {count}" for kind, count in sorted(self.faults.counts.items())))
        if self.faults.nothing:
            self.say("found nothing to do: " + ", ".join(f"{kind} {count}" for kind, count in sorted(self.faults.nothing.items())))
        self.say("processes by exit code: " + ", ".join(f"{code}: {count}" for code, count in sorted(ends.items(), key=str)))
        self.say("audit: " + ", ".join(f"{what} {count}" for what, count in sorted(auditor.counts.items())))
        for text in auditor.violations[:50]:
            self.say("VIOLATION: " + text)
        for text in problems[:50]:
            self.say("VIOLATION: " + text)
        self.say(f"seed {self.options.seed}, {self.options.minutes} minutes: {sum(self.faults.counts.values())} faults, "
                 f"{len(self.load.tasks)} tasks, {auditor.counts['subtasks']} subtasks, {auditor.counts['runs']} runs, "
                 f"{len(auditor.violations) + len(problems)} violations")

    def close(self):
        if self.load is not None:
            self.load.stopping.set()
        for each in self.all_nodes():
            each.close()
        if self.gates is not None:
            self.gates.close()
        self.pair.remove()
        self.log_file.close()


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--build", required=True)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    if options.nodes < 2:
        parser.error("--nodes: two at least, so that there is another to take the work")
    options.build = os.path.abspath(options.build)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = tempfile.mkdtemp(prefix="disttask-chaos.")
    chaos = Chaos(options, folder)
    good = False
    try:
        good = chaos.run()
    except Exception:  # pylint: disable=broad-except  # the evidence is kept and the servers are stopped
        traceback.print_exc()
    finally:
        # The servers' data is large, and what matters of it is in changes.txt.
        chaos.close()
    if good and not options.keep:
        shutil.rmtree(folder)
    else:
        print(f"evidence: {folder}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
