#!/usr/bin/env python3
"""Times tasks of 5,000 subtasks on a TiDB by its own framework and by ours, in turn; prints the figures as JSON. tidb.sh starts it."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request

SUBTASKS = 5000
# Name; our figure, or nothing for a daemon in TiDB's own tables; slots of the task; goal.
FIGURES = [
    ("tidb_mysql_vs_own", None, 16, 3),
    ("tidb_vs_own", "task_5000_parallel_s", 16, 20),
    ("tidb_vs_own_serial", "task_5000_serial_s", 1, 5),
]


def run_in_tidb(control, key, slots, scope, runs):
    """Returns the seconds from submit to succeed of a task that TiDB's scheduler plans; `runs` of its subtasks TiDB's own executor must run."""
    url = f"http://{control}/run?key={key}&n={SUBTASKS}&concurrency={slots}&scope={scope}"
    with urllib.request.urlopen(url, timeout=1800) as answer:
        outcome = json.load(answer)
    if outcome["state"] != "succeed" or outcome["runs"] != runs:
        raise SystemExit(f"tidb: a task in TiDB's own tables ended as {outcome}, {runs} runs by TiDB's executor were expected")
    return outcome["seconds"]


def run_theirs(control, key, slots):
    """Returns the seconds that TiDB's own framework took."""
    return run_in_tidb(control, key, slots, "", SUBTASKS + 1)


class NodeBesideTiDb:
    """One daemon of ours that serves TiDB's own tables in a scope of its own."""

    SCOPE = "bench_ours"

    def __init__(self, options):
        folder = os.path.join(options.work, "beside")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        store = f"mysql://root@127.0.0.1:{options.port}/mysql"
        subprocess.run([options.ctl, "--store", store, "schema", "install"], check=True, stdout=sys.stderr)
        config = os.path.join(folder, "node.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"""node: {{id: "zz-bench:7001", scope: {self.SCOPE}, slots: 16, state_dir: {folder}/state}}
store: {{endpoints: ["127.0.0.1:{options.port}"], user: root, schema: mysql}}
plugins: {{list: [{options.example}]}}
""")
        self.log = open(os.path.join(folder, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([options.daemon, "--config", config], stdout=self.log, stderr=subprocess.STDOUT)
        for _ in range(600):
            with open(self.log.name, encoding="utf-8") as log:
                text = log.read()
            if "ready" in text:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise SystemExit(f"tidb: the daemon beside TiDB is not ready:\n{text}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)
        self.log.close()


def run_ours(command, figure, path):
    """Returns the seconds that our daemon took."""
    subprocess.run(command + ["--figure", figure, "--json", path], check=True)
    with open(path, encoding="utf-8") as file:
        return json.load(file)[0]["value"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--control", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", required=True)
    parser.add_argument("--port", required=True)
    parser.add_argument("--daemon", required=True)
    parser.add_argument("--ctl", required=True)
    parser.add_argument("--example", required=True, help="our plugin of TiDB's task type Example")
    parser.add_argument("--figure", action="append", choices=[name for name, _, _, _ in FIGURES], help="only these")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    figures = [entry for entry in FIGURES if not options.figure or entry[0] in options.figure]
    ratios = {name: [] for name, _, _, _ in figures}
    for number in range(options.rounds):
        for name, figure, slots, _ in figures:
            theirs = run_theirs(options.control, f"{name}-{number}", slots)
            if figure is None:
                with NodeBesideTiDb(options) as node:
                    ours = run_in_tidb(options.control, f"{name}-ours-{number}", slots, node.SCOPE, 0)
            else:
                ours = run_ours(options.command, figure, os.path.join(options.work, "ours.json"))
            ratios[name].append(theirs / ours)
            print(f"{name}: TiDB's own {theirs:.1f} s, ours {ours:.2f} s: {theirs / ours:.1f}", file=sys.stderr)
    result = []
    for name, _, _, goal in figures:
        value = statistics.median(ratios[name])
        result.append({"figure": name, "value": value, "unit": "x", "op": ">=", "goal": goal, "ok": value >= goal,
                       "min": min(ratios[name]), "max": max(ratios[name])})
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
