"""Real daemons behind gates: start, kill, stop and continue, and what the kernel knows about them."""

import glob
import os
import re
import signal
import socket
import subprocess
import threading
import time

import gate
import store

LEASE = 6
SLOTS = 4
# Pools make threads on demand and keep them, up to these numbers: controllers, planners, the move to history, one for each slot and one more.
POOLED = re.compile(r"(ctl|plan|history|task)-\d+$")
MOST_POOLED = 6 + 4 + 1 + SLOTS + 1
FAKETIME = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), "")
# What a daemon may end with although nobody killed it: a run that did not return before the lease ended.
EXIT_RUN_LEFT = 75


def boot_time():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Life:
    """One process of a node."""

    def __init__(self, pid, began):
        self.pid = pid
        self.began = began
        self.ended = None  # CLOCK_BOOTTIME at which the end was seen
        self.code = None
        self.expected = False  # killed or stopped by the runner
        self.frozen = []  # [from, until or None]


class Node:
    """A node: its settings, its gate, its processes one after the other. A watcher starts it again when it has ended by itself."""

    def __init__(self, folder, name, gates, target, build, *, lease=LEASE, clock=False, history_after=600):
        self.folder = folder
        self.name = name
        self.build = build
        if clock and not FAKETIME:
            raise RuntimeError("libfaketime is missing: deploy/packages.sh install fault")
        self.clock_file = os.path.join(folder, f"clock-{name}") if clock else None
        self.port = gates.add(name, target)
        self.lock = threading.RLock()
        self.process = None
        self.lives = []
        self.ready = threading.Event()
        self.status = ""
        self.wanted = False
        self.surprises = []
        self.notify_path = os.path.join(folder, f"notify-{name}")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.notify_path)
        self.closing = False
        self.config = os.path.join(folder, f"{name}.yaml")
        os.makedirs(os.path.join(folder, "audit"), exist_ok=True)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"""node:
  id: {name}
  slots: {SLOTS}
  lease: {lease}s
  state_dir: {folder}/state-{name}
  drain_timeout: 2s
  stop_timeout: 10s
  max_abnormal_ends: 100000
store:
  endpoints: ["127.0.0.1:{self.port}"]
  user: {store.ACCOUNT}
  schema: {store.SCHEMA}
  tls: {{mode: off}}
  connect_timeout: 1s
  read_timeout: 2s
  pool: {{max_connections: 5, max_idle: 3s}}
scheduler: {{history_after: {history_after}s}}
plugins:
  list: [{build}/fault/chaos.so, {build}/plugins/sql_batch.so]
  config:
    chaos: {{audit_dir: {folder}/audit, node: {name}}}
connections:
  target:
    endpoint: 127.0.0.1:{self.port}
    user: {store.BATCH_ACCOUNT}
    types: [sql_batch]
    schemas: [{store.BATCH_SCHEMA}]
http: {{listen: 127.0.0.1:0}}
log: {{level: info}}
""")
        self.step_clock(0)
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()

    def step_clock(self, seconds):
        """Moves this node's wall clock away from the true one; takes effect within a second. Its monotonic clocks stay true."""
        if self.clock_file is not None:
            with open(self.clock_file + ".new", "w", encoding="ascii") as file:
                file.write(f"{seconds:+d}\n")
            os.rename(self.clock_file + ".new", self.clock_file)

    def start(self):
        with self.lock:
            self.wanted = True
            if self.process is not None:
                return
            environment = dict(os.environ, NOTIFY_SOCKET=self.notify_path)
            environment.pop("JOURNAL_STREAM", None)
            environment.pop("DISTTASK_FAILPOINTS", None)
            if self.clock_file is not None:
                environment.update(LD_PRELOAD=f"{self.build}/fault/real_timers.so {FAKETIME}", FAKETIME_TIMESTAMP_FILE=self.clock_file, FAKETIME_CACHE_DURATION="1",
                                   FAKETIME_DONT_FAKE_MONOTONIC="1")
            self.ready.clear()
            with open(os.path.join(self.folder, f"{self.name}.{len(self.lives) + 1}.log"), "wb") as log:
                began = boot_time()
                self.process = subprocess.Popen([f"{self.build}/daemon/disttaskd", "--config", self.config], stdout=log, stderr=log,
                                                stdin=subprocess.DEVNULL, env=environment)
            self.lives.append(Life(self.process.pid, began))

    def _listen(self):
        while True:
            data = self.notify.recv(65536).decode("utf-8", "replace")
            if self.closing:
                return
            for line in data.splitlines():
                if line == "READY=1":
                    self.ready.set()
                elif line.startswith("STATUS="):
                    self.status = line[7:]

    def _watch(self):
        """Notes ends, and starts the node again half a second later, as a service manager would."""
        while not self.closing:
            time.sleep(0.005)
            with self.lock:
                if self.process is None or self.process.poll() is None:
                    continue
                life = self.lives[-1]
                life.ended = boot_time()
                life.code = self.process.returncode
                self.process = None
                again = self.wanted
                if not life.expected and life.code not in (EXIT_RUN_LEFT, -signal.SIGKILL):
                    self.surprises.append(f"{self.name}: process {life.pid} ended with {life.code}")
            if again:
                time.sleep(0.5)
                with self.lock:
                    if self.wanted and not self.closing:
                        self.start()

    def pid(self):
        with self.lock:
            return None if self.process is None else self.process.pid

    def _signal(self, number):
        with self.lock:
            if self.process is None or self.process.poll() is not None:
                return False
            self.process.send_signal(number)
            return True

    def kill(self):
        """kill -9; the node stays down until start()."""
        with self.lock:
            self.wanted = False
            if self.lives:
                self.lives[-1].expected = True
            self._signal(signal.SIGKILL)
        self._wait_end(10)

    def stop(self, limit=40):
        """Stops it gracefully; returns the exit code, None when it did not end."""
        with self.lock:
            self.wanted = False
            if self.process is None:
                return self.lives[-1].code if self.lives else 0
            self.lives[-1].expected = True
            self._signal(signal.SIGTERM)
        return self.lives[-1].code if self._wait_end(limit) else None

    def _wait_end(self, limit):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            with self.lock:
                if self.process is None:
                    return True
            time.sleep(0.01)
        return False

    def freeze(self):
        """SIGSTOP; returns the life that was stopped, or None."""
        with self.lock:
            if not self._signal(signal.SIGSTOP):
                return None
            self.lives[-1].frozen.append([boot_time(), None])
            return self.lives[-1]

    def thaw(self, life):
        with self.lock:
            if life.ended is None:
                self._signal(signal.SIGCONT)
            life.frozen[-1][1] = boot_time()

    def thread_names(self):
        names = []
        pid = self.pid()
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/comm", encoding="utf-8") as comm:
                names.append(comm.read().strip())
        return sorted(names)

    def counts(self):
        """Threads and descriptors by the kernel, None when there is no process."""
        pid = self.pid()
        try:
            names = self.thread_names()
            kept = sum(POOLED.match(name) is not None for name in names)
            return {"threads": len(names) - kept, "threads kept by pools": kept, "descriptors": len(os.listdir(f"/proc/{pid}/fd"))}
        except (FileNotFoundError, ProcessLookupError):
            return None

    def cpu_seconds(self):
        with open(f"/proc/{self.pid()}/stat", encoding="utf-8") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def idle(self):
        """True if the daemon says that it uses no slot and runs nothing."""
        return re.match(r"0/\d+ slots, 0 tasks, 0 runs", self.status) is not None

    def close(self):
        self.kill()
        self.closing = True
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self.notify_path)


def join(folder, name, gates, target, build, lease=LEASE, history_after=600):
    """Returns a further node, not started."""
    return Node(folder, name, gates, target, build, lease=lease, history_after=history_after)


def make_nodes(folder, count, target, build, clock, lease=LEASE, history_after=600):
    """Returns the gates and the nodes n1, n2, …; the last one has a clock that may be stepped."""
    gates = gate.Gates()
    return gates, [Node(folder, f"n{i}", gates, target, build, lease=lease, clock=clock and i == count, history_after=history_after) for i in range(1, count + 1)]
