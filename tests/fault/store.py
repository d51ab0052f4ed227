"""Two private MariaDB servers, the second a replica of the first: restart, kill, read-only, a switch that loses no commit."""

import os
import signal
import socket
import subprocess
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PRIVATE = os.path.join(ROOT, "deploy", "private-mariadb.sh")
SCHEMA = "disttask"
# The daemons' account has no right that read_only would spare.
ACCOUNT = "disttask"
# What batches change, and the ledger beside it.
BATCH_SCHEMA = "chaos_batch"
BATCH_ACCOUNT = "batch"
LEDGER = f"{BATCH_SCHEMA}.disttask_csv_ledger"
# A killed server loses nothing with these (what was committed has reached the kernel); only a machine that loses power would.
OPTIONS = ["--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0", "--log-bin=binlog", "--log-slave-updates", "--binlog-format=ROW",
           "--relay-log=relay", "--slave-net-timeout=5", "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=64M", "--skip-networking=0",
           "--bind-address=127.0.0.1", "--skip-name-resolve", "--skip-slave-start"]


class StoreError(Exception):
    pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def process_state(pid):
    """Returns the state letter of a process, "" when there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Server:
    """One server in a folder of its own."""

    def __init__(self, folder, number):
        self.folder = folder
        self.number = number
        self.port = free_port()

    def start(self):
        command = [PRIVATE, "start", self.folder, *OPTIONS, f"--port={self.port}", f"--server-id={self.number}"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise StoreError(result.stderr)

    def pid(self):
        with open(os.path.join(self.folder, "pid"), encoding="ascii") as file:
            return int(file.read())

    def kill(self):
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        for _ in range(500):
            if process_state(pid) in ("", "Z"):
                break
            time.sleep(0.01)
        # A zombie that nobody reaps looks alive to the script that starts it.
        os.unlink(os.path.join(self.folder, "pid"))

    def stop(self):
        subprocess.run([PRIVATE, "stop", self.folder], check=True)

    def sql(self, text, schema=SCHEMA, limit=30):
        """Runs statements and returns the rows of the last ones as lists of texts; NULL is None."""
        command = ["mariadb", "--no-defaults", "--batch", "--raw", "--skip-column-names", f"--socket={self.folder}/s.sock", "--user=root"]
        if schema:
            command.append(f"--database={schema}")
        try:
            result = subprocess.run(command, input=text, capture_output=True, text=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired as late:
            raise StoreError(f"no answer in {limit} s: {text}") from late
        if result.returncode != 0:
            raise StoreError(f"{text}: {result.stderr.strip()}")
        return [[None if value == "NULL" else value for value in line.split("\t")] for line in result.stdout.splitlines()]


class Store:
    """The pair. `lock` keeps switches and restarts apart from statements of the runner."""

    def __init__(self, folder, log, replica=True):
        self.log = log
        self.lock = threading.RLock()
        self.primary = Server(os.path.join(folder, "db-1"), 1)
        self.other = Server(os.path.join(folder, "db-2"), 2) if replica else None

    def start(self):
        self.primary.start()
        self.primary.sql(f"create database {SCHEMA}; set global max_connections=500", schema="")
        if self.other is not None:
            self.other.start()
            self._follow(self.other, self.primary)
        # The second server gets the account too, as it gets all else.
        self.primary.sql(f"create user {ACCOUNT}@'%'; grant select, insert, update, delete on {SCHEMA}.* to {ACCOUNT}@'%'; "
                         f"create database {BATCH_SCHEMA}; create user {BATCH_ACCOUNT}@'%'; grant all on {BATCH_SCHEMA}.* to {BATCH_ACCOUNT}@'%'", schema="")

    def dsn(self):
        return f"mysql://root@localhost/{SCHEMA}?socket={self.primary.folder}/s.sock"

    def sql(self, text):
        with self.lock:
            return self.primary.sql(text)

    @staticmethod
    def _follow(replica, primary):
        replica.sql(f"set global read_only=1; change master to master_host='127.0.0.1', master_port={primary.port}, master_user='root', "
                    "master_connect_retry=1, master_use_gtid=slave_pos; start slave", schema="")

    def restart(self, kill, pause):
        with self.lock:
            if kill:
                self.primary.kill()
            else:
                self.primary.stop()
            time.sleep(pause)
            self.primary.start()

    def read_only(self, on):
        with self.lock:
            self.primary.sql(f"set global read_only={int(on)}")

    def switch(self, before, after):
        """Makes the other server the one that is written: `before()` keeps the clients away, `after(port)` leads them to the new one."""
        with self.lock:
            old, new = self.primary, self.other
            before()
            old.sql("set global read_only=1")
            position = old.sql("select @@global.gtid_binlog_pos")[0][0]
            if new.sql(f"select master_gtid_wait('{position}', 25)")[0][0] != "0":
                raise StoreError(f"the replica did not reach {position}: {new.sql('show slave status')}")
            new.sql("stop slave; reset slave all; set global read_only=0", schema="")
            self.primary, self.other = new, old
            after(new.port)
            # In words: current_pos is an old position when the last change was made by hand, under another server id; all such changes since would be made again.
            old.sql(f"set global gtid_slave_pos='{position}'", schema="")
            self._follow(old, new)

    def remove(self):
        for server in (self.primary, self.other):
            if server is not None:
                subprocess.run([PRIVATE, "remove", server.folder], check=False)
