#!/usr/bin/env python3
"""Takes the store away from two daemons with work in hand, and looks that they live on quietly and go on at once when it is back.

usage: outage.py [--minutes 10] --build DIR

One node finds its store's port closed, the other gets no answer to anything. No process may end, each may use 1 % of a core at most, and
work must go on within 5 s after the return. Exit code 0: all so.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback

import load
import node
import store

LEASE = 30
MAX_CPU = 0.01
MAX_PAUSE = 5.0
META = {"subtasks": 4000, "sleep_ms": 200, "jitter_ms": 400, "checkpoints": 100}


def ends(folder, name):
    """Returns how many runs of a node have ended well so far."""
    with open(os.path.join(folder, "audit", f"runs-{name}"), encoding="utf-8") as file:
        return sum('"outcome":"ok"' in line for line in file)


def outage(folder, minutes, build, say, judged=True):
    problems = []
    pair = store.Store(folder, say, replica=False)
    gates, nodes = None, []
    try:
        pair.start()
        tasks = load.Load(pair, build, 1, 1, say)
        if tasks.ctl(["schema", "install"]).returncode != 0:
            raise RuntimeError("schema install failed")
        gates, nodes = node.make_nodes(folder, 2, pair.primary.port, build, clock=False, lease=LEASE)
        for each in nodes:
            each.start()
        for each in nodes:
            if not each.ready.wait(60):
                raise RuntimeError(f"{each.name} did not get ready")
        for _ in range(2):
            tasks.submit("outage", META, ["--parallel", "2"])
        while any(ends(folder, each.name) < 20 for each in nodes):
            time.sleep(0.2)
        pids = [each.pid() for each in nodes]

        gates.cut(nodes[0].name)
        gates.mute(nodes[1].name, "c2s", "s2c")
        began = time.monotonic()
        used = [each.cpu_seconds() for each in nodes]
        before = {each.name: each.counts() for each in nodes}
        say(f"the store is away for {minutes} minutes; {nodes[0].name}: port closed, {nodes[1].name}: no answer")
        while time.monotonic() - began < minutes * 60:
            time.sleep(1)
            if [each.pid() for each in nodes] != pids:
                problems.append(f"a process ended after {time.monotonic() - began:.0f} s: {[life.code for each in nodes for life in each.lives]}")
                return problems
        away = time.monotonic() - began
        for each, start in zip(nodes, used):
            share = (each.cpu_seconds() - start) / away
            say(f"{each.name}: {share * 100:.2f} % of a core, now {each.counts()}, before {before[each.name]}")
            if judged and share > MAX_CPU:
                problems.append(f"{each.name} used {share * 100:.2f} % of a core")

        had = {each.name: ends(folder, each.name) for each in nodes}
        back = time.monotonic()
        # What hung is cut: after minutes, nothing of it would be alive in a real network either.
        gates.cut(nodes[1].name)
        for each in nodes:
            gates.restore(each.name)
        waiting = {each.name for each in nodes}
        while waiting and time.monotonic() - back < 60:
            for name in sorted(waiting):
                if ends(folder, name) > had[name]:
                    pause = time.monotonic() - back
                    say(f"{name}: first result {pause:.1f} s after the return")
                    waiting.discard(name)
                    if judged and pause > MAX_PAUSE:
                        problems.append(f"{name} went on {pause:.1f} s after the return")
            time.sleep(0.05)
        problems.extend(f"{name} did not go on within 60 s" for name in sorted(waiting))
        if [each.pid() for each in nodes] != pids:
            problems.append("a process ended after the return")
        failed = pair.sql("select count(*) from tidb_background_subtask where state not in ('pending','running','succeed')")[0][0]
        if failed != "0":
            problems.append(f"{failed} subtasks did not survive the outage")
        for each in nodes:
            code = each.stop()
            if code != 0:
                problems.append(f"{each.name} ended with {code}")
        return problems
    finally:
        for each in nodes:
            each.close()
        if gates is not None:
            gates.close()
        pair.remove()


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--build", required=True)
    options = parser.parse_args()
    is_smoke = bool(os.environ.get("DISTTASK_SMOKE"))
    if is_smoke:
        options.minutes = 0.1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = tempfile.mkdtemp(prefix="disttask-outage.")
    problems = ["the run itself failed"]
    try:
        problems = outage(folder, options.minutes, os.path.abspath(options.build), lambda text: print(text, flush=True), judged=not is_smoke)
    except Exception:  # pylint: disable=broad-except  # the logs are kept
        traceback.print_exc()
    for problem in problems:
        print("VIOLATION: " + problem)
    if problems:
        print(f"evidence: {folder}")
        return 1
    shutil.rmtree(folder)
    print(f"{options.minutes:g} minutes without the store: as it should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
