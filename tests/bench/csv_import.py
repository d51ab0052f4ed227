#!/usr/bin/env python3
"""Measures csv_import by two running daemons against LOAD DATA; see csv_import.sh, which starts everything."""
import argparse
import json
import statistics
import subprocess
import sys
import time

REPETITIONS = 5
COLUMNS = (
    "id bigint not null, registry varchar(16), assignment char(6), organization varchar(255), address varchar(500)"
)
TABLES = {
    "keys": f"create table bench.t_keys ({COLUMNS}, primary key (id), key (assignment), key (organization))",
    "no_keys": f"create table bench.t_no_keys ({COLUMNS})",
}


class Sql:
    """One session of the client, kept open: a question costs one round trip, no process."""

    def __init__(self, socket):
        self.command = ["mariadb", "--no-defaults", f"--socket={socket}", "--user=root", "-N", "-n", "--local-infile=1"]
        self.client = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def line(self, text):
        self.client.stdin.write(text + ";\n")
        self.client.stdin.flush()
        return self.client.stdout.readline().rstrip("\n")

    def run(self, text):
        subprocess.run([*self.command, "-e", text], check=True)


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.sql = Sql(arguments.socket)
        with open(arguments.file, "rb") as file:
            self.bytes = sum(len(line) for line in file)
        self.shown = set()

    def show(self, command):
        if command not in self.shown:
            self.shown.add(command)
            print(command, file=sys.stderr)

    def prepare(self, table):
        self.sql.run(f"drop table if exists bench.t_{table}; {TABLES[table]}")
        self.settle()

    def settle(self):
        """Waits until the server has written out what the run before left: else the next one pays for it."""
        self.sql.run("set global innodb_max_dirty_pages_pct_lwm = 0, innodb_max_dirty_pages_pct = 0")
        for _ in range(300):
            dirty = self.sql.line("select variable_value from information_schema.global_status where variable_name = 'INNODB_BUFFER_POOL_PAGES_DIRTY'")
            if int(dirty) < 100:
                break
            time.sleep(0.1)
        self.sql.run("set global innodb_max_dirty_pages_pct = 90")

    def load(self, table):
        self.prepare(table)
        text = (
            f"load data local infile '{self.arguments.file}' into table bench.t_{table} character set utf8mb4 fields terminated by ',' "
            "optionally enclosed by '\"' escaped by '' lines terminated by '\\n' ignore 1 lines"
        )
        self.show(f"mariadb --local-infile=1 -e \"{text}\"")
        begin = time.monotonic()
        self.sql.run(text)
        return time.monotonic() - begin

    def submit(self, table, key):
        meta = {"file": self.arguments.file, "connection": "bench", "target": {"schema": "bench", "table": f"t_{table}"}}
        command = [self.arguments.ctl, "--config", self.arguments.config, "task", "submit", "--type", "csv_import", "--key", key]
        command += ["--meta", json.dumps(meta)]
        self.show(" ".join([*command[:-1], f"'{command[-1]}'"]))
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def imported(self, table, key):
        """Seconds of step import, and seconds from submit to success."""
        self.prepare(table)
        begin = time.monotonic()
        self.submit(table, key)
        number = self.sql.line(f"select id from disttask.tidb_global_task where task_key = '{key}'")
        # The task moves to history when it has ended.
        state = (
            "select concat_ws(' ', (select count(*) from disttask.tidb_background_subtask where task_key = '{0}' and step = 1 and state = 'running'), "
            "(select coalesce(sum(num_bytes), 0) from bench.disttask_csv_ledger where task_id = {0} and step = 1), "
            "coalesce((select state from disttask.tidb_global_task where id = {0}), "
            "(select state from disttask.tidb_global_task_history where id = {0})))"
        ).format(number)
        first = last = None
        while True:
            running, num_bytes, task = self.sql.line(state).split(" ")
            now = time.monotonic()
            if first is None and (int(running) > 0 or int(num_bytes) > 0):
                first = now
            # The header is no part of a chunk.
            if last is None and int(num_bytes) > self.bytes - 1000:
                last = now
            if task in ("succeed", "reverted", "failed", "reverting"):
                break
            if now - begin > 600:
                sys.exit(f"task {key} is still {task} after 10 minutes")
            time.sleep(0.01)
        if task != "succeed" or first is None or last is None:
            subprocess.run([self.arguments.ctl, "--config", self.arguments.config, "task", "show", key], check=False, stdout=sys.stderr)
            sys.exit(f"task {key} ended as {task}")
        return last - first, now - begin

    def peak_rss_mib(self):
        peaks = []
        for pid in self.arguments.pids:
            with open(f"/proc/{pid}/status", encoding="ascii") as status:
                peaks += [int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:")]
        return peaks


def figure(name, value, samples, unit, operator, goal):
    return {
        "figure": name,
        "value": round(value, 3),
        "unit": unit,
        "op": operator,
        "goal": goal,
        "ok": value >= goal if operator == ">=" else value <= goal,
        "min": round(min(samples), 3),
        "max": round(max(samples), 3),
    }


def ratio(name, loads, others, goal):
    pairs = [load / other for load, other in zip(loads, others)]
    return figure(name, statistics.median(loads) / statistics.median(others), pairs, "ratio", ">=", goal)


def main():
    parser = argparse.ArgumentParser()
    for name in ("ctl", "config", "socket", "file"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--pids", type=int, nargs="+", required=True)
    bench = Bench(parser.parse_args())

    figures = []
    for table in TABLES:
        loads, imports, verified = [], [], []
        for repetition in range(REPETITIONS):
            loads.append(bench.load(table))
            seconds = bench.imported(table, f"bench-{table}-{repetition}")
            imports.append(seconds[0])
            verified.append(seconds[1])
            print(f"{table}: load {loads[-1]:.2f} s, import {seconds[0]:.2f} s, submit to verified {seconds[1]:.2f} s", file=sys.stderr)
        suffix = "" if table == "keys" else f"_{table}"
        figures.append(ratio(f"csv_import_vs_load{suffix}", loads, imports, 1.0))
        figures.append(ratio(f"csv_verified_vs_load{suffix}", loads, verified, 0.8))
    peaks = bench.peak_rss_mib()
    figures.append(figure("csv_peak_rss_mib", max(peaks), peaks, "MiB", "<=", 64))
    json.dump(figures, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
