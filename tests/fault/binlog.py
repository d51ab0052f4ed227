"""Reads a server's binary log: every change of every row, in the order in which the changes were committed."""

import glob
import os
import re
import subprocess
from collections import namedtuple

# before is None for an insert, after for a delete; both are dicts of the columns below. Changes of one transaction share `transaction`; `server` is the
# id of the server that it was begun on, which the runner sets to MEDDLER for what it changes by hand.
Change = namedtuple("Change", "seq time table before after transaction server", defaults=(0, 0))
MEDDLER = 99

COLUMNS = {
    "tidb_background_subtask": {1: "id", 2: "step", 4: "task", 5: "token", 7: "node", 9: "state", 16: "meta", 17: "ordinal", 18: "error"},
    "tidb_global_task": {1: "id", 2: "key", 5: "state", 13: "step", 15: "error"},
    "disttask_node": {1: "node", 2: "life"},
    "disttask_owner": {2: "node", 3: "life", 4: "count", 5: "term"},
    "disttask_plan": {1: "task", 2: "kind", 4: "step", 5: "planner", 6: "token", 8: "next", 9: "complete", 10: "failed"},
}
COLUMNS["tidb_background_subtask_history"] = COLUMNS["tidb_background_subtask"]
COLUMNS["tidb_global_task_history"] = COLUMNS["tidb_global_task"]
NUMBERS = {"id", "step", "token", "ordinal", "life", "count", "term", "next", "complete", "failed"}

HEAD = re.compile(r"### (INSERT INTO|UPDATE|DELETE FROM) `\w+`\.`(\w+)`")
VALUE = re.compile(r"###   @(\d+)=(.*)")
TIME = re.compile(r"#(\d{6} +\d+:\d\d:\d\d) server id (\d+)")
BEGIN = re.compile(r"#\d{6} .*\bGTID \d+-\d+-\d+")
# The tool writes control characters so, and everything else, backslashes too, as it is.
ESCAPE = re.compile(r"\\x([01][0-9a-fA-F])")


def _value(name, text):
    if text == "NULL":
        return None
    if name in NUMBERS:
        return int(text.split()[0])
    if text.startswith("'") and text.endswith("'"):
        text = text[1:-1]
        if "\\" in text:
            text = ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
        return int(text) if name == "task" else text
    return int(text.split()[0]) if name == "task" else text


def parse(lines):
    """Yields the changes that the text form of a binary log tells, tables that are not in COLUMNS left out."""
    seq, time, transaction, server = 0, "", 0, 0
    head = columns = None
    rows = {}
    side = None

    def change():
        return Change(seq, time, head[1], rows.get("WHERE"), rows.get("SET"), transaction, server)

    for line in lines:
        if line.startswith("###"):
            start = HEAD.match(line)
            if start:
                if head is not None:
                    yield change()
                seq += 1
                columns = COLUMNS.get(start[2])
                head = (start[1], start[2]) if columns else None
                rows, side = {}, None
            elif head is not None:
                word = line[4:].strip()
                if word in ("WHERE", "SET"):
                    side = rows.setdefault(word, {})
                    continue
                value = VALUE.match(line)
                if value and int(value[1]) in columns:
                    name = columns[int(value[1])]
                    side[name] = _value(name, value[2].rstrip())
        else:
            if head is not None:
                yield change()
                head = None
            stamp = TIME.match(line)
            if stamp:
                time, server = stamp[1], int(stamp[2])
            if BEGIN.match(line):
                transaction += 1
    if head is not None:
        yield change()


def read(folder, keep=None):
    """Returns the changes in the binary logs of the server in `folder`; keeps their text in the file `keep`, if given."""
    files = sorted(glob.glob(os.path.join(folder, "data", "binlog.0*")))
    files = [file for file in files if not file.endswith(".idx")]
    changes = []
    base = transactions = 0
    for file in files:
        command = ["mariadb-binlog", "--no-defaults", "--verbose", "--base64-output=decode-rows", file]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace") as process:
            for change in parse(process.stdout):
                changes.append(change._replace(seq=base + change.seq, transaction=transactions + change.transaction))
            errors = process.stderr.read()
        if process.returncode != 0:
            raise RuntimeError(f"mariadb-binlog {file}: {errors}")
        if changes:
            base, transactions = changes[-1].seq, changes[-1].transaction
    if keep is not None:
        with open(keep, "w", encoding="utf-8") as out:
            for change in changes:
                if change.table == "disttask_node" and change.before and change.after and change.before["life"] == change.after["life"]:
                    continue
                out.write(f"{change.seq} {change.transaction}@{change.server} {change.time} {change.table} {change.before} -> {change.after}\n")
    return changes
