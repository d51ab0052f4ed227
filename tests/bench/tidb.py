#!/usr/bin/env python3
"""Times tasks of 5,000 subtasks on a TiDB by its own framework and by ours, in turn; prints the figures as JSON. tidb.sh starts it."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import urllib.request

SUBTASKS = 5000
FIGURES = [("tidb_vs_own", "task_5000_parallel_s", 16, 20), ("tidb_vs_own_serial", "task_5000_serial_s", 1, 5)]


def run_theirs(control, key, slots):
    """Returns the seconds that TiDB's own framework took."""
    url = f"http://{control}/run?key={key}&n={SUBTASKS}&concurrency={slots}"
    with urllib.request.urlopen(url, timeout=1800) as answer:
        outcome = json.load(answer)
    if outcome["state"] != "succeed" or outcome["runs"] != SUBTASKS + 1:
        raise SystemExit(f"tidb: a task of TiDB's own ended as {outcome}")
    return outcome["seconds"]


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
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    ratios = {name: [] for name, _, _, _ in FIGURES}
    for number in range(options.rounds):
        for name, figure, slots, _ in FIGURES:
            theirs = run_theirs(options.control, f"{name}-{number}", slots)
            ours = run_ours(options.command, figure, os.path.join(options.work, "ours.json"))
            ratios[name].append(theirs / ours)
            print(f"{name}: TiDB's own {theirs:.1f} s, ours {ours:.2f} s: {theirs / ours:.1f}", file=sys.stderr)
    result = []
    for name, _, _, goal in FIGURES:
        value = statistics.median(ratios[name])
        result.append({"figure": name, "value": value, "unit": "x", "op": ">=", "goal": goal, "ok": value >= goal,
                       "min": min(ratios[name]), "max": max(ratios[name])})
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
