"""Does what a plan says, each fault on a thread of its own, and remembers what an auditor must excuse."""

import json
import threading
import time
import traceback

import binlog
import gate
import load

PATTERNS = {
    "start": r"^\s*update tidb_background_subtask.*'running'",
    "finish": r"^\s*update tidb_background_subtask.*'succeed'",
    "commit": r"^\s*commit|commit\s*;?\s*$",
    "any write": r"^\s*(update|insert|delete|commit)",
}


class Faults:
    """Runs faults; `counts` says how many of each kind took place, `meddled` which subtasks' running rows were changed behind their node."""

    def __init__(self, pair, gates, nodes, load, log, make_node=None):
        self.pair = pair
        self.gates = gates
        self.nodes = {node.name: node for node in nodes}
        self.load = load
        self.make_node = make_node  # name → a new node
        self.joined = []
        self.log = log
        self.counts = {}
        self.nothing = {}  # kinds that found nothing to do
        self.meddled = set()
        self.errors = []
        self.threads = []
        self.lock = threading.Lock()

    def run(self, fault):
        thread = threading.Thread(target=self._guard, args=(fault,), daemon=True)
        self.threads.append(thread)
        thread.start()

    def join(self, limit):
        end = time.monotonic() + limit
        for thread in self.threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self.threads)

    def _guard(self, fault):
        try:
            did = getattr(self, "_" + fault.kind)(self.nodes.get(fault.node), fault)
            if fault.kind in ("long_runs", "planned"):
                return
            with self.lock:
                where = self.nothing if did is False else self.counts
                where[fault.kind] = where.get(fault.kind, 0) + 1
        except Exception:  # pylint: disable=broad-except  # reported: a runner that fails is no proof
            self.errors.append(f"{fault}: {traceback.format_exc()}")

    # --- nodes ---

    def _kill(self, node, fault):
        node.kill()
        time.sleep(fault.seconds)
        node.start()

    _kill_long = _kill

    def _stop(self, node, fault):
        code = node.stop()
        if code is None:
            self.errors.append(f"{node.name} did not end at SIGTERM")
            node.kill()
        elif code not in (0, 75, -9):
            self.errors.append(f"{node.name} ended with {code} at SIGTERM")
        time.sleep(fault.seconds)
        node.start()

    def _freeze(self, node, fault):
        life = node.freeze()
        if life is None:
            return False
        time.sleep(fault.seconds)
        node.thaw(life)
        return True

    _freeze_short = _freeze

    # --- who has a role ---

    def _owner(self):
        rows = self.pair.sql("select exec_id from disttask_owner where life<>0")
        return self.nodes.get(rows[0][0]) if rows else None

    def _owner_kill(self, _, fault):
        owner = self._owner()
        return owner is not None and self._kill(owner, fault) is None

    def _owner_freeze(self, _, fault):
        owner = self._owner()
        return owner is not None and self._freeze(owner, fault)

    def _owner_stop(self, _, fault):
        owner = self._owner()
        return owner is not None and self._stop(owner, fault) is None

    def _planner_kill(self, _, fault):
        end = time.monotonic() + 3
        while time.monotonic() < end:
            rows = self.pair.sql("select planner from disttask_plan where complete=0 and failed=0 and next_ordinal>1 limit 1")
            planner = self.nodes.get(rows[0][0]) if rows else None
            if planner is not None:
                return self._kill(planner, fault) is None
            time.sleep(0.05)
        return False

    # --- nodes that come and go ---

    def _node_joined(self, _, fault):
        with self.lock:
            joined = self.make_node(f"j{len(self.joined) + 1}")
            self.joined.append(joined)
            self.nodes[joined.name] = joined
        joined.start()
        time.sleep(fault.seconds)
        with self.lock:
            del self.nodes[joined.name]
        if int(fault.detail) % 2:
            joined.kill()
        elif joined.stop() not in (0, 75):
            self.errors.append(f"{joined.name} ended with {joined.lives[-1].code} at SIGTERM")
            joined.kill()
        return True

    def _node_cordoned(self, _, fault):
        return self._for_a_while(fault, "cordon")

    def _node_drained(self, _, fault):
        return self._for_a_while(fault, "drain", "--deadline", "1s")

    def _for_a_while(self, fault, verb, *arguments):
        names = sorted(self.nodes)
        name = names[int(fault.detail) % len(names)]
        if self._ctl("node", verb, name, *arguments) != 0:
            return False
        time.sleep(fault.seconds)
        self.uncordon(name)
        return True

    def uncordon(self, name):
        end = time.monotonic() + 30
        while self._ctl("node", "uncordon", name) not in (0, 3) and time.monotonic() < end:
            time.sleep(0.3)

    def _clock_step(self, node, fault):
        node.step_clock(int(fault.detail))

    # --- gates ---

    def _gate_cut(self, node, fault):
        self.gates.cut(node.name)
        time.sleep(fault.seconds)
        self._restore(node)

    _gate_cut_long = _gate_cut

    def _restore(self, node):
        # A switch of the store has all gates closed and opens them itself.
        with self.pair.lock:
            self.gates.restore(node.name)

    def _gate_reset(self, node, fault):
        self.gates.cut(node.name, refuse=False)

    def _gate_mute(self, node, fault):
        which, end = fault.detail.split()
        self.gates.mute(node.name, *(["c2s", "s2c"] if which == "both" else [which]))
        time.sleep(fault.seconds)
        if end == "cut":
            self.gates.cut(node.name, refuse=False)
        self._restore(node)

    def _gate_mute_long(self, node, fault):
        self.gates.mute(node.name, "c2s", "s2c")
        time.sleep(fault.seconds)
        self._restore(node)

    def _gate_delay(self, node, fault):
        self.gates.delay(node.name, float(fault.detail))
        time.sleep(fault.seconds)
        self.gates.delay(node.name, 0.0)

    def _trap(self, node, fault, kind):
        trap = gate.Trap(kind, PATTERNS[fault.detail], times=2, hold_for=fault.seconds)
        self.gates.trap(node.name, trap)
        time.sleep(fault.seconds)
        self.gates.disarm(node.name, trap)
        return trap

    def _drop_answer(self, node, fault):
        return self._trap(node, fault, "drop_answer").done > 0

    def _hold(self, node, fault):
        return self._trap(node, fault, "hold").done > 0

    # --- no fault, but what some need ---

    def _long_runs(self, _, fault):
        self.load.submit(*load.LONG)

    def _planned(self, _, fault):
        self.load.submit(*load.PLANNED)

    # --- the store ---

    def _store_restart(self, _, fault):
        self.pair.restart(kill=False, pause=fault.seconds)

    def _store_kill(self, _, fault):
        self.pair.restart(kill=True, pause=fault.seconds)

    _store_kill_long = _store_kill

    def _failover(self, _, fault):
        def before():
            for name in list(self.gates.gates):
                self.gates.cut(name)

        def after(port):
            self.gates.retarget(port)
            for name in list(self.gates.gates):
                self.gates.restore(name)

        self.pair.switch(before, after)

    def _read_only(self, _, fault):
        # Held throughout: a restart would end it early.
        with self.pair.lock:
            self.pair.read_only(True)
            time.sleep(fault.seconds)
            self.pair.read_only(False)

    # --- rows, as an operator or DXF's owner may change them ---

    def _meta_row(self, node, fault):
        self.pair.sql(f"delete from dist_framework_meta where host='{node.name}'")

    def _meddle(self, text):
        """Changes rows by hand, and lets the log of the store tell that it was not a node."""
        self.pair.sql(f"set session server_id={binlog.MEDDLER}; {text}")

    def _pick(self, fault, states):
        """Returns a subtask (id, node, state, task) of a task that is running, by the number of the plan."""
        rows = self.pair.sql(
            "select s.id, s.exec_id, s.state, s.task_key from tidb_background_subtask s join tidb_global_task t on t.id=s.task_key "
            f"where s.state in ({states}) and t.state='running' order by s.id limit 200")
        return rows[int(fault.detail) % len(rows)] if rows else None

    def _rows_moved(self, _, fault):
        """Gives a row to another node, be it running or not."""
        row = self._pick(fault, "'running'" if int(fault.detail) % 2 else "'pending'")
        if row is None:
            return False
        others = sorted(name for name in self.nodes if name != row[1])
        if row[2] == "running":
            self.meddled.add(int(row[0]))
        to = others[int(fault.detail) % len(others)]
        self._meddle(f"update tidb_background_subtask set exec_id='{to}' where id={row[0]} and exec_id='{row[1]}' and state='{row[2]}'")
        return True

    def _batch_moved(self, _, fault):
        """Gives all running subtasks of a batch to other nodes, again and again: their old runs go on until they notice, so two work on one range."""
        task = self.load.submit(*load.MOVED_BATCH)
        began = None
        end = time.monotonic() + 15
        while task is not None and time.monotonic() < end and (began is None or time.monotonic() < began + fault.seconds):
            rows = self.pair.sql(f"select id, exec_id from tidb_background_subtask where task_key='{task}' and state='running'")
            for number, (subtask, node) in enumerate(rows):
                others = sorted(name for name in list(self.nodes) if name != node)
                self.meddled.add(int(subtask))
                to = others[(int(fault.detail) + number) % len(others)]
                self._meddle(f"update tidb_background_subtask set exec_id='{to}' where id={subtask} and exec_id='{node}' and state='running'")
            if rows and began is None:
                began = time.monotonic()
            time.sleep(0.7)
        return began is not None

    def _rows_paused(self, _, fault):
        """Pauses a node's rows of a task that goes on running: a node's pause that came late."""
        row = self._pick(fault, "'running','pending'")
        if row is None:
            return False
        rows = self.pair.sql(f"select id from tidb_background_subtask where task_key='{row[3]}' and exec_id='{row[1]}' and state='running'")
        self.meddled.update(int(each[0]) for each in rows)
        self._meddle(
            f"update tidb_background_subtask set state='paused' where task_key='{row[3]}' and exec_id='{row[1]}' and state='running' and id in "
            f"({','.join([each[0] for each in rows] + ['0'])});"
            f"update tidb_background_subtask set state='paused' where task_key='{row[3]}' and exec_id='{row[1]}' and state='pending'")
        return True

    def _rows_cancelled(self, _, fault):
        """Cancels one row of a running task: the task must revert."""
        row = self._pick(fault, "'running','pending'")
        if row is None:
            return False
        self.load.spoil(int(row[3]), "a row of it was cancelled by hand")
        if row[2] == "running":
            self.meddled.add(int(row[0]))
        self._meddle(f"update tidb_background_subtask set state='canceled' where id={row[0]} and state='{row[2]}'")
        return True

    def _task(self, fault, states):
        rows = self.pair.sql(f"select id, task_key from tidb_global_task where state in ({states}) order by id limit 50")
        return rows[int(fault.detail) % len(rows)] if rows else None

    def _ctl(self, *arguments):
        """Returns the exit code of disttaskctl; 5 (refused: the task has gone on meanwhile) is as good as 0, and so is 3 of a node that is gone."""
        with self.pair.lock:
            result = self.load.ctl(list(arguments))
        # The store may be read-only, which is a fault of its own.
        if result.returncode not in (0, 5, 69) and not (arguments[0] == "node" and result.returncode == 3):
            self.errors.append(f"disttaskctl {' '.join(arguments)}: {result.returncode} {result.stderr}")
        return result.returncode

    def _task_cancelled(self, _, fault):
        task = self._task(fault, "'pending','running','pausing','paused'")
        if task is None:
            return False
        self.load.spoil(int(task[0]), "it was cancelled")
        return self._ctl("task", "cancel", task[1], "--yes") == 0

    def _task_paused(self, _, fault):
        task = self._task(fault, "'pending','running'")
        if task is None or self._ctl("task", "pause", task[1]) != 0:
            return False
        time.sleep(fault.seconds)
        end = time.monotonic() + 180
        while time.monotonic() < end:
            # Refused while the pause is under way; the task may have been cancelled meanwhile.
            rows = self.pair.sql(f"select state from tidb_global_task where id={task[0]}")
            if not rows or rows[0][0] not in ("pausing", "paused") or self._ctl("task", "resume", task[1]) == 0:
                return True
            time.sleep(0.3)
        self.errors.append(f"task {task} was not paused within 180 s: {rows}")
        return True

    def _task_modified(self, _, fault):
        task = self._task(fault, "'pending','running'")
        number = int(fault.detail)
        if task is None:
            return False
        known = self.load.tasks.get(int(task[0]))
        changes = [["--slots", str(1 + number % 3), "--max-nodes", str(2 + number % 2)], ["--priority", str(1 + number)]]
        if known is not None:
            changes.append(["--meta", json.dumps(load.other_meta(known, number))])
        return self._ctl("task", "modify", task[1], *changes[number % len(changes)]) == 0
