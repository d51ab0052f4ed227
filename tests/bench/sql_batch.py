#!/usr/bin/env python3
"""Measures sql_batch against one statement and pt-archiver; see sql_batch.sh, which starts everything."""
import argparse
import json
import statistics
import subprocess
import sys
import threading
import time

UPDATE = "update bench.t set n = n + 1, pad = concat(left(pad, 80), n) where {range}"
DELETE = "delete from bench.t where {range}"
CLIENT = ["mariadb", "--no-defaults", "--user=root", "-N", "-n"]


class Sql:
    """One session of the client, kept open: a question costs one round trip, no process."""

    def __init__(self, socket):
        self.command = [*CLIENT, f"--socket={socket}", "bench"]
        self.client = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def line(self, text):
        self.client.stdin.write(text + ";\n")
        self.client.stdin.flush()
        return self.client.stdout.readline().rstrip("\n")

    def run(self, text):
        subprocess.run([*self.command, "-e", text], check=True)


class Bystander:
    """Reads one row by its key, 200 times a second, and writes down how long it took."""

    def __init__(self, socket):
        self.sql = Sql(socket)
        self.times = []
        self.going = True
        self.thread = threading.Thread(target=self.read)

    def read(self):
        number = 0
        while self.going:
            number = (number * 7919 + 1) % 10000
            begin = time.monotonic()
            self.sql.line(f"select pad from bench.other where id = {number + 1}")
            took = time.monotonic() - begin
            self.times.append(took)
            time.sleep(max(0.005 - took, 0))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *ignored):
        self.going = False
        self.thread.join()
        self.sql.client.stdin.close()
        self.sql.client.wait()

    def p99_ms(self):
        return sorted(self.times)[int(len(self.times) * 0.99)] * 1000


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.sql = Sql(arguments.socket)
        rows = arguments.rows
        self.sql.run(
            "create table bench.other (id int primary key, pad varchar(100)); insert into bench.other select seq, repeat('o', 90) from seq_1_to_10000; "
            "create table bench.full (id bigint primary key, n int not null, pad varchar(200) not null, key (n)) ; "
            f"insert into bench.full select seq * 3, seq % 1000, repeat('p', 90) from seq_1_to_{rows}"
        )

    def prepare(self):
        self.sql.run("drop table if exists bench.t; create table bench.t like bench.full; insert into bench.t select * from bench.full; analyze table bench.t")
        self.sql.run("set global innodb_max_dirty_pages_pct_lwm = 0, innodb_max_dirty_pages_pct = 0")
        for _ in range(600):
            dirty = "select variable_value from information_schema.global_status where variable_name = 'INNODB_BUFFER_POOL_PAGES_DIRTY'"
            if int(self.sql.line(dirty)) < 100:
                break
            time.sleep(0.1)
        self.sql.run("set global innodb_max_dirty_pages_pct = 90")

    def measured(self, what, work):
        """Seconds, and the bystander's p99 in milliseconds."""
        self.prepare()
        with Bystander(self.arguments.socket) as bystander:
            begin = time.monotonic()
            work()
            seconds = time.monotonic() - begin
        print(f"{what}: {seconds:.2f} s, {self.arguments.rows / seconds:.0f} rows/s, bystander p99 {bystander.p99_ms():.2f} ms", file=sys.stderr)
        return seconds, bystander.p99_ms()

    def statement(self, text):
        self.sql.run(text.replace("{range}", "true"))

    def archiver(self):
        source = f"S={self.arguments.socket},u=root,D=bench,t=t"
        command = ["pt-archiver", "--source", source, "--where", "1=1", "--purge", "--bulk-delete", "--limit", "1000", "--commit-each"]
        command += ["--no-check-charset", "--primary-key-only"]
        subprocess.run(command, check=True, stdout=sys.stderr)
        left = self.sql.line("select count(*) from bench.t")
        # It leaves the row with the greatest key, by its option --safe-auto-increment.
        if int(left) > 1:
            sys.exit(f"pt-archiver left {left} rows")

    def batch(self, text, key):
        meta = {"connection": "bench", "table": "bench.t", "statement": text}
        command = [self.arguments.ctl, "--config", self.arguments.config, "task", "submit", "--type", "sql_batch", "--key", key, "--meta", json.dumps(meta), "--wait"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=sys.stderr)


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


def ratio(name, above, below, operator, goal):
    pairs = [one / other for one, other in zip(above, below)]
    return figure(name, statistics.median(above) / statistics.median(below), pairs, "ratio", operator, goal)


def main():
    parser = argparse.ArgumentParser()
    for name in ("ctl", "config", "socket"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--repetitions", type=int, required=True)
    arguments = parser.parse_args()
    bench = Bench(arguments)
    seconds, p99 = {}, {}

    def measure(what, work):
        took, latency = bench.measured(what, work)
        seconds.setdefault(what, []).append(took)
        p99.setdefault(what, []).append(latency)

    for repetition in range(arguments.repetitions):
        measure("delete, sql_batch", lambda: bench.batch(DELETE, f"delete-{repetition}"))
        measure("delete, pt-archiver", bench.archiver)
        measure("delete, one statement", lambda: bench.statement(DELETE))
        measure("update, sql_batch", lambda: bench.batch(UPDATE, f"update-{repetition}"))
        measure("update, one statement", lambda: bench.statement(UPDATE))
    figures = [
        ratio("sql_batch_vs_pt_archiver", seconds["delete, pt-archiver"], seconds["delete, sql_batch"], ">=", 2.0),
        ratio("sql_batch_bystander_p99_ratio", p99["delete, sql_batch"], p99["delete, pt-archiver"], "<=", 1.0),
        ratio("sql_batch_vs_one_statement", seconds["delete, one statement"], seconds["delete, sql_batch"], ">=", 0.5),
        ratio("sql_batch_update_vs_one_statement", seconds["update, one statement"], seconds["update, sql_batch"], ">=", 0.5),
        ratio("sql_batch_update_bystander_p99_ratio", p99["update, sql_batch"], p99["update, one statement"], "<=", 1.0),
    ]
    json.dump(figures, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
