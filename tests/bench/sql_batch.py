#!/usr/bin/env python3
"""Measures sql_batch against pt-archiver, one statement and bare chunks; see sql_batch.sh, which starts everything."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from mariadb_session import Session

UPDATE = "update bench.t set n = n + 1, pad = concat(left(pad, 80), n) where {range}"
DELETE = "delete from bench.t where {range}"
BARE_CHUNK = 50_000
COUNTERS = ("questions", "com_commit", "innodb_data_fsyncs")
# What the frontier is made of: chunk_time and sleep_ratio, and pt-archiver's --limit.
CHUNK_TIMES = ("50ms", "200ms", "500ms")
SLEEP_RATIOS = (0, 0.5, 1)
LIMITS = (1000, 10_000)


class Bystander:
    """bystander.py while something else is at work; `times` are its milliseconds."""

    def __init__(self, socket):
        self.command = [sys.executable, os.path.join(os.path.dirname(__file__), "bystander.py"), socket]
        self.times = []

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()
        return self

    def __exit__(self, *ignored):
        output, _ = self.process.communicate()
        if self.process.returncode != 0:
            sys.exit("the bystander failed")
        self.times = [float(line) for line in output.split()]


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.sql = Session(arguments.socket, "bench")
        self.tasks = int(time.time())
        self.sql.run(
            "create table other (id int primary key, pad varchar(100))",
            "insert into other select seq, repeat('o', 90) from seq_1_to_10000",
            "create table full (id bigint primary key, n int not null, pad varchar(200) not null, key (n))",
            f"insert into full select seq * 3, seq % 1000, repeat('p', 90) from seq_1_to_{arguments.rows}",
        )

    def prepare(self):
        """A full table; nothing left to purge or to write from whoever was before."""
        self.sql.run(
            "set global innodb_io_capacity_max = 20000, innodb_io_capacity = 10000",
            "drop table if exists t",
            "create table t like full",
            "insert into t select * from full",
            "analyze table t",
            "set global innodb_max_dirty_pages_pct_lwm = 0, innodb_max_dirty_pages_pct = 0",
        )
        left = "select max(cast(variable_value as int)) from information_schema.global_status where variable_name in ('INNODB_BUFFER_POOL_PAGES_DIRTY', 'INNODB_HISTORY_LIST_LENGTH')"
        end = time.monotonic() + 120
        while int(self.sql.value(left)) >= 100:
            if time.monotonic() > end:
                sys.exit("the server does not come to rest")
            time.sleep(0.1)
        self.sql.run("set global innodb_max_dirty_pages_pct = 90, innodb_io_capacity = 200, innodb_io_capacity_max = 2000")

    def counters(self):
        names = ", ".join(f"'{name}'" for name in COUNTERS)
        return {name.lower(): int(value) for name, value in self.sql.run(f"show global status where variable_name in ({names})")}

    def measured(self, what, work):
        """Seconds, and the bystander's milliseconds."""
        self.prepare()
        before = self.counters()
        with Bystander(self.arguments.socket) as bystander:
            begin = time.monotonic()
            work()
            seconds = time.monotonic() - begin
        counts = {name: value - before[name] for name, value in self.counters().items()}
        counts["questions"] -= len(bystander.times)
        print(
            f"{what}: {seconds:.2f} s, {self.arguments.rows / seconds:.0f} rows/s, bystander p50 {percentile(bystander.times, 0.5):.2f} p99 "
            f"{percentile(bystander.times, 0.99):.2f} ms; {counts}",
            file=sys.stderr,
        )
        return seconds, bystander.times

    def expect(self, question, value):
        found = self.sql.value(question)
        if int(found) != value:
            sys.exit(f"{question}: expected {value}, found {found}")

    def expect_deleted(self):
        self.expect("select count(*) from t", 0)

    def expect_updated(self):
        self.expect("select count(*) from t join full on t.id = full.id and t.n = full.n + 1", self.arguments.rows)

    def statement(self, text):
        self.sql.run(text.replace("{range}", "true"))

    def bare_chunks(self, text):
        """What a client has to do at least: it knows the ranges, and notes nothing."""
        for first in range(0, self.arguments.rows, BARE_CHUNK):
            self.sql.run("begin", text.replace("{range}", f"id > {3 * first} and id <= {3 * (first + BARE_CHUNK)}"), "commit")

    def archiver(self, limit):
        source = f"S={self.arguments.socket},u=root,D=bench,t=t"
        command = ["pt-archiver", "--source", source, "--where", "1=1", "--purge", "--bulk-delete", "--limit", str(limit), "--commit-each"]
        command += ["--no-check-charset", "--primary-key-only"]
        subprocess.run(command, check=True, stdout=sys.stderr)

    def batch(self, text, more=None):
        self.tasks += 1
        meta = {"connection": "bench", "table": "bench.t", "statement": text, **(more or {})}
        command = [self.arguments.ctl, "--config", self.arguments.config, "task", "submit", "--type", "sql_batch", "--key", f"bench-{self.tasks}"]
        command += ["--meta", json.dumps(meta), "--wait"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=sys.stderr)


class Results:
    """Of several repetitions, by contestant."""

    def __init__(self):
        self.seconds = {}
        self.times = {}

    def add(self, what, measured):
        self.seconds.setdefault(what, []).append(measured[0])
        self.times.setdefault(what, []).append(measured[1])

    def rate(self, what, rows):
        return rows / statistics.median(self.seconds[what])

    def all_times(self, what):
        return [took for times in self.times[what] for took in times]

    def speed_ratio(self, name, ours, other, goal=None):
        """Rows/s over those of another: the median of the repetitions' ratios."""
        pairs = [theirs / mine for mine, theirs in zip(self.seconds[ours], self.seconds[other])]
        return figure(name, statistics.median(pairs), pairs, ">=", goal)

    def p99_ratio(self, name, ours, other, goal=None):
        """The median of the repetitions' p99, over the other's: a single bad one does not decide. Least and most are those of single repetitions."""
        mine, theirs = ([percentile(times, 0.99) for times in self.times[what]] for what in (ours, other))
        return figure(name, statistics.median(mine) / statistics.median(theirs), [one / two for one, two in zip(mine, theirs)], "<=", goal)


def percentile(values, share):
    return sorted(values)[int((len(values) - 1) * share)]


def figure(name, value, samples, operator, goal):
    return {
        "figure": name,
        "value": round(value, 3),
        "unit": "ratio",
        "op": None if goal is None else operator,
        "goal": goal,
        "ok": goal is None or (value >= goal if operator == ">=" else value <= goal),
        "min": round(min(samples), 3),
        "max": round(max(samples), 3),
    }


def take_turns(bench, contestants, repetitions):
    """Runs each in each repetition, another one first each time."""
    results = Results()
    names = list(contestants)
    for repetition in range(repetitions):
        shift = repetition % len(names)
        for name in names[shift:] + names[:shift]:
            work, check = contestants[name]
            results.add(name, bench.measured(name, work))
            check()
    return results


def archivers(bench, limits):
    return {f"delete, pt-archiver --limit {limit}": (lambda limit=limit: bench.archiver(limit), bench.expect_deleted) for limit in limits}


def table(results, rows):
    """The rates and the bystander's times of each contestant, for the page."""
    print("| what | rows/s | bystander p50 | p90 | p99 | p99.9, ms |\n| --- | --- | --- | --- | --- | --- |", file=sys.stderr)
    for what in results.seconds:
        shares = " | ".join(f"{percentile(results.all_times(what), share):.2f}" for share in (0.5, 0.9, 0.99, 0.999))
        print(f"| {what} | {results.rate(what, rows):,.0f} | {shares} |", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser()
    for name in ("ctl", "config", "socket"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--repetitions", type=int, required=True)
    parser.add_argument("--frontier", action="store_true")
    parser.add_argument("--goals", action="store_true")
    arguments = parser.parse_args()
    bench = Bench(arguments)
    if arguments.frontier:
        contestants = {}
        for chunk_time in CHUNK_TIMES:
            for sleep_ratio in SLEEP_RATIOS:
                more = {"chunk_time": chunk_time, "sleep_ratio": sleep_ratio}
                contestants[f"delete, sql_batch {chunk_time}, sleep_ratio {sleep_ratio}"] = (lambda more=more: bench.batch(DELETE, more), bench.expect_deleted)
        contestants.update(archivers(bench, LIMITS))
        table(take_turns(bench, contestants, arguments.repetitions), arguments.rows)
        return
    if arguments.goals:
        pair = {"delete, sql_batch": (lambda: bench.batch(DELETE), bench.expect_deleted), **archivers(bench, LIMITS[:1])}
        ours, other = pair
        results = take_turns(bench, pair, arguments.repetitions)
        table(results, arguments.rows)
        json.dump([results.speed_ratio("sql_batch_vs_pt_archiver", ours, other, 2.0), results.p99_ratio("sql_batch_bystander_p99_ratio", ours, other, 1.0)], sys.stdout, indent=1)
        print()
        return
    contestants = {
        "delete, sql_batch": (lambda: bench.batch(DELETE), bench.expect_deleted),
        "delete, sql_batch 50ms": (lambda: bench.batch(DELETE, {"chunk_time": "50ms"}), bench.expect_deleted),
        **archivers(bench, LIMITS),
        "delete, bare chunks": (lambda: bench.bare_chunks(DELETE), bench.expect_deleted),
        "delete, one statement": (lambda: bench.statement(DELETE), bench.expect_deleted),
        "update, sql_batch": (lambda: bench.batch(UPDATE), bench.expect_updated),
        "update, bare chunks": (lambda: bench.bare_chunks(UPDATE), bench.expect_updated),
        "update, one statement": (lambda: bench.statement(UPDATE), bench.expect_updated),
    }
    results = take_turns(bench, contestants, arguments.repetitions)
    table(results, arguments.rows)
    figures = []
    for limit, suffix, goal in ((LIMITS[0], "", (2.0, 1.0)), (LIMITS[1], "_10000", (None, None))):
        other = f"delete, pt-archiver --limit {limit}"
        for ours, infix in (("delete, sql_batch", ""), ("delete, sql_batch 50ms", "_50ms")):
            figures.append(results.speed_ratio(f"sql_batch{infix}_vs_pt_archiver{suffix}", ours, other, goal[0]))
            figures.append(results.p99_ratio(f"sql_batch{infix}_bystander_p99_ratio{suffix}", ours, other, goal[1]))
    for kind, infix in (("delete", ""), ("update", "_update")):
        figures.append(results.speed_ratio(f"sql_batch{infix}_vs_bare_chunks", f"{kind}, sql_batch", f"{kind}, bare chunks", 0.8))
        figures.append(results.speed_ratio(f"sql_batch{infix}_vs_one_statement", f"{kind}, sql_batch", f"{kind}, one statement"))
        figures.append(results.p99_ratio(f"sql_batch{infix}_bystander_p99_vs_one_statement", f"{kind}, sql_batch", f"{kind}, one statement"))
    json.dump(figures, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
