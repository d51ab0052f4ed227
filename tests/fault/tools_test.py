"""Tests of the fault tools themselves: an auditor that finds nothing proves nothing until it is seen to find something."""

import json
import socket
import struct
import tempfile
import threading
import time
import unittest

import audit
import binlog
import gate
import node
import plan
import store

SECOND = 10**9


def change(seq, table, before, after, transaction=0, server=1):
    return binlog.Change(seq, "", table, before, after, transaction, server)


def owner(count, life=50):
    return {"node": "n1", "life": life, "count": count, "term": 1}


def plan_row(following, step=1, complete=1):
    return {"task": 1, "kind": "step", "step": step, "planner": "n1", "token": 3, "next": following, "complete": complete, "failed": 0}


def row(state, token=None, node_name="n1", meta="{}", **more):
    return {"id": 7, "step": 1, "task": 1, "token": token, "node": node_name, "state": state, "meta": meta, "ordinal": 1, "error": None, **more}


def result(token, step=1):
    return json.dumps({"token": token, "step": step, "ordinal": 1})


def task(state, task_id=1):
    return {"id": task_id, "key": "k", "state": state, "step": 1, "error": None}


class Story:
    """A run of one task with one subtask that went well; tests spoil it."""

    def __init__(self):
        self.rows = [("pending", None, "n1", "{}"), ("running", 11, "n1", "{}"), ("succeed", 11, "n1", result(11))]
        self.runs = [self.run("n1", 100, 11, 1, 2, "ok")]
        self.task_states = ["pending", "running", "succeed"]
        self.kind = {"key": "k", "kind": "quick", "meta": {"subtasks": 1}}
        self.node_lives = [("n1", 5), ("n2", 6)]
        self.late_node_lives = []
        self.lives = {"n1": [node.Life(100, 0)], "n2": [node.Life(200, 0)]}
        self.spoiled = {}
        self.meddled = set()
        self.batches = {}
        self.fenced = True  # each transaction begins with the owner's count
        self.server = 1
        self.planned = [(None, plan_row(1, None, 0)), (plan_row(1, None, 0), plan_row(2))]  # made, and moved with the subtask

    @staticmethod
    def run(name, pid, token, began, ended, outcome):
        return audit.Run(name, pid, 7, 1, 1, 1, token, began * SECOND, None if ended is None else ended * SECOND, outcome)

    def audit(self, more=()):
        changes = []
        transactions = [0]

        def add(table, before, after, begins=True):
            transactions[0] += begins
            if begins and self.fenced:
                changes.append(change(len(changes) + 1, "disttask_owner", owner(transactions[0]), owner(transactions[0] + 1), transactions[0]))
            changes.append(change(len(changes) + 1, table, before, after, transactions[0], self.server))

        for name, life in self.node_lives:
            add("disttask_node", None, {"node": name, "life": life})
        states = [task(state) for state in self.task_states]
        add("tidb_global_task", None, states[0])
        rows = [row(*each) for each in self.rows]
        for before, after in zip([None, *rows], rows):
            # An eviction comes just before the row that follows it.
            for at, name, life in self.late_node_lives:
                if after is rows[at]:
                    add("disttask_node", {"node": name, "life": 0}, {"node": name, "life": life})
            if before is None:
                for plan_change in self.planned:
                    add("disttask_plan", *plan_change)
            add("tidb_background_subtask", before, after, begins=before is not None)
        for before, after in zip(states, states[1:]):
            add("tidb_global_task", before, after)
        for before, after, *table in more:
            add(table[0] if table else "tidb_background_subtask", before, after)
        auditor = audit.Auditor(changes, self.runs, self.lives, {1: self.kind}, self.spoiled, self.meddled, self.batches)
        return auditor.audit(), auditor


class AuditorTest(unittest.TestCase):
    def setUp(self):
        self.story = Story()

    def assert_finds(self, text, more=()):
        violations, _ = self.story.audit(more)
        self.assertTrue(any(text in violation for violation in violations), f"'{text}' is not in {violations}")

    def take_over(self, evicted=True, frozen=True):
        """n2 takes the subtask while the run of n1 goes on."""
        self.story.rows = [("pending", None, "n1", "{}"), ("running", 11, "n1", "{}"), ("pending", 11, "n1", "{}"), ("pending", 11, "n2", "{}"),
                           ("running", 13, "n2", "{}"), ("succeed", 13, "n2", result(13))]
        self.story.runs = [Story.run("n1", 100, 11, 1, 20, "cancelled:6"), Story.run("n2", 200, 13, 10, 12, "ok")]
        if evicted:
            self.story.late_node_lives = [(2, "n1", 0)]
        if frozen:
            self.story.lives["n1"][0].frozen = [[2 * SECOND, 19 * SECOND]]

    def test_a_run_that_went_well_has_no_violation(self):
        violations, auditor = self.story.audit()
        self.assertEqual(violations, [])
        self.assertEqual(auditor.counts["subtasks"], 1)

    def test_a_second_accepted_result_is_found(self):
        self.assert_finds("changed after its end", [(row("succeed", 11, meta=result(11)), row("succeed", 13, meta=result(13)))])

    def test_a_result_of_another_run_is_found(self):
        self.story.rows[-1] = ("succeed", 11, "n1", result(12))
        self.assert_finds("result of another run")
        self.assert_finds("no run returned")

    def test_a_subtask_without_an_end_is_found(self):
        self.story.rows.pop()
        self.assert_finds("ended 0 times")

    def test_a_task_without_an_end_is_found(self):
        self.story.task_states.pop()
        self.assert_finds("did not end")

    def test_a_task_that_failed_for_no_reason_is_found_and_one_that_was_cancelled_is_excused(self):
        self.story.task_states[-1] = "reverted"
        self.assert_finds("for no reason")
        self.story.spoiled[1] = "cancelled"
        self.assertEqual(self.story.audit()[0], [])

    def test_a_task_that_must_fail_and_succeeds_is_found(self):
        self.story.kind["meta"]["fail_at"] = 2
        self.assertEqual(self.story.audit()[0], [])
        self.story.kind["meta"]["fail_at"] = 1
        self.assert_finds("although a subtask of it fails")

    def test_a_lost_subtask_is_found(self):
        self.story.kind["meta"]["subtasks"] = 2
        self.assert_finds("instead of 2")

    def test_a_subtask_that_goes_to_history_as_it_was_has_no_violation_and_any_other_is_found(self):
        history = "tidb_background_subtask_history"
        end = row("succeed", 11, "n1", result(11))
        violations, auditor = self.story.audit([(None, end, history), (end, None)])
        self.assertEqual(violations, [])
        self.assertEqual(auditor.counts["in history"], 1)
        self.assert_finds("left the live table 1 times and came to history 0 times", [(end, None)])
        self.assert_finds("left the live table 0 times and came to history 1 times", [(None, end, history)])
        self.assert_finds("left the live table 1 times and came to history 2 times", [(None, end, history), (end, None), (None, end, history)])
        self.assert_finds("came to history other than it was", [(None, {**end, "state": "failed"}, history), (end, None)])

    def test_a_subtask_whose_plan_did_not_move_is_found(self):
        self.story.planned.pop()
        self.assert_finds("planned without its plan")

    def test_an_ordinal_that_is_left_out_or_comes_twice_is_found(self):
        self.assert_finds("with ordinal 3 after 1", [(None, row("pending", id=8, ordinal=3))])
        self.assert_finds("with ordinal 1 after 1", [(None, row("pending", id=8))])

    def test_a_plan_that_lost_subtasks_is_found(self):
        self.story.planned[-1] = (plan_row(1, None, 0), plan_row(3))
        self.assert_finds("step 1 of task 1 has 1 subtasks, its plan made 2")

    def test_a_plan_that_goes_back_is_found(self):
        self.story.planned.append((plan_row(2), plan_row(2, complete=0)))
        self.assert_finds("a plan went back")

    def test_a_subtask_that_is_planned_for_a_task_that_stopped_is_found(self):
        self.story.task_states[0] = "cancelling"
        self.assert_finds("was planned although the task is cancelling")

    def test_what_only_the_owner_may_do_is_found_when_somebody_else_does_it(self):
        self.take_over()
        self.story.fenced = False
        for what in ("from pending on n1 to pending on n2", "task 1 went from running to succeed", "a plan for task 1 was made"):
            self.assert_finds(what)
        self.story.server = binlog.MEDDLER
        self.assertEqual(self.story.audit()[0], [])

    def test_a_task_that_was_cancelled_and_succeeds_is_found(self):
        self.story.task_states = ["pending", "running", "cancelling", "running", "succeed"]
        self.assert_finds("succeeded although it was cancelled")

    def test_a_subtask_that_begins_in_a_paused_task_is_found(self):
        self.story.task_states = ["paused", "running", "succeed"]
        self.assert_finds("began although task 1 is paused")

    def test_a_count_of_the_owner_that_jumps_is_found(self):
        jump = change(90, "disttask_owner", owner(4), owner(6), 90)
        auditor = audit.Auditor([jump], [], {}, {})
        self.assertIn("the owner's count went from 4 to 6 (change 90)", auditor.audit()[0])

    def test_a_write_of_the_owners_row_that_is_not_counted_is_found_unless_its_transaction_was_counted(self):
        writes = [change(90, "disttask_owner", owner(4), owner(5), 90), change(91, "disttask_owner", owner(5), owner(5), 90)]
        self.assertEqual(audit.Auditor(writes, [], {}, {}).audit(), [])
        self.assertIn("the owner's count went from 5 to 5 (change 91)", audit.Auditor(writes[1:], [], {}, {}).audit())

    def test_a_run_without_a_committed_start_is_found(self):
        self.story.runs.append(Story.run("n2", 200, 17, 3, 4, "failed"))
        self.assert_finds("no committed start")

    def test_a_run_that_never_returned_is_found_unless_its_process_ended(self):
        self.take_over(frozen=False)
        self.story.runs[0] = Story.run("n1", 100, 11, 1, None, None)
        self.assert_finds("never returned")
        self.story.lives["n1"][0].ended = 5 * SECOND
        self.assertEqual(self.story.audit()[0], [])

    def test_an_overlap_with_a_life_that_was_not_evicted_is_found(self):
        self.take_over(evicted=False)
        self.assert_finds("was not evicted")

    def test_an_overlap_with_an_evicted_process_is_excused_only_if_it_was_stopped(self):
        self.take_over(frozen=False)
        self.assert_finds("had not been stopped")
        self.take_over()
        violations, auditor = self.story.audit()
        self.assertEqual(violations, [])
        self.assertEqual(auditor.counts["overlaps with a stopped, evicted process"], 1)

    def test_an_overlap_within_one_process_is_found(self):
        self.take_over()
        self.story.runs[1] = Story.run("n1", 100, 13, 10, 12, "ok")
        self.assert_finds("in the same process")

    def test_a_running_row_that_changes_its_node_is_found_unless_it_was_done_by_hand(self):
        self.story.rows = [("pending", None, "n1", "{}"), ("running", 11, "n1", "{}"), ("running", 11, "n2", "{}"), ("pending", 11, "n2", "{}"),
                           ("running", 13, "n2", "{}"), ("succeed", 13, "n2", result(13))]
        self.story.runs = [Story.run("n1", 100, 11, 1, 2, "cancelled:4"), Story.run("n2", 200, 13, 3, 4, "ok")]
        self.assert_finds("changed its node while running")
        self.story.meddled.add(7)
        self.assertEqual(self.story.audit()[0], [])

    def test_a_second_run_of_what_may_not_be_repeated_is_found(self):
        self.take_over()
        self.story.kind["meta"]["idempotent"] = False
        self.assert_finds("may not be repeated")

    def test_a_step_that_begins_before_the_last_one_is_done_is_found(self):
        self.story.kind["meta"]["steps"] = 2
        later = row("pending", id=8, step=2)
        self.story.rows.pop()
        self.assert_finds("began while", [(None, later)])

    def test_a_checkpoint_may_change_the_token_of_a_run(self):
        self.story.rows = [("pending", None, "n1", "{}"), ("running", 11, "n1", "{}"), ("running", 15, "n1", "{}"), ("succeed", 15, "n1", result(11))]
        self.assertEqual(self.story.audit()[0], [])

    def test_a_batch_that_changed_rows_twice_never_or_unnoted_is_found(self):
        self.story.kind = {"key": "k", "kind": "batch", "meta": {}}
        self.story.rows[-1] = ("succeed", 11, "n1", "{}")
        self.story.runs = []
        for spoiled, applied, noted, text in (
                (False, {1: 99, 2: 1}, 100, "more than once (times: rows): {2: 1}"), (False, {0: 1, 1: 99}, 99, "left 1 rows of 100 as they were"),
                (False, {1: 99}, 99, "99 rows instead of 100"), (True, {0: 60, 1: 40}, 20, "changed 40 rows, its ledger says 20"),
                (True, {0: 50, 1: 49, 2: 1}, 51, "more than once")):
            self.story.task_states[-1] = "reverted" if spoiled else "succeed"
            self.story.spoiled = {1: "cancelled"} if spoiled else {}
            self.story.batches = {1: (100, applied, noted)}
            self.assert_finds(text)
        self.story.batches = {1: (100, {0: 60, 1: 40}, 40)}
        self.assertEqual(self.story.audit()[0], [])


class BinlogTest(unittest.TestCase):
    def test_changes_are_read_from_the_text_of_a_binary_log(self):
        text = r"""#261124 13:00:01 server id 1  end_log_pos 400 CRC32 0x1 	Update_rows: table id 33 flags: STMT_END_F
### UPDATE `disttask`.`tidb_background_subtask`
### WHERE
###   @1=7
###   @4='3'
###   @5=NULL
###   @9='pending'
###   @16='{"input":"{\"a\":1}\x0a"}'
### SET
###   @1=7
###   @4='3'
###   @5=9223372036854775807
###   @9='running'
### INSERT INTO `disttask`.`unknown`
### SET
###   @1=1
# at 500
### DELETE FROM `disttask`.`disttask_node`
### WHERE
###   @1='n1'
###   @2=5
"""
        changes = list(binlog.parse(text.splitlines(keepends=True)))
        self.assertEqual([each.table for each in changes], ["tidb_background_subtask", "disttask_node"])
        self.assertEqual(changes[0].before, {"id": 7, "task": 3, "token": None, "state": "pending", "meta": '{"input":"{\\"a\\":1}\n"}'})
        self.assertEqual(changes[0].after["token"], 9223372036854775807)
        self.assertLess(changes[0].seq, changes[1].seq)
        self.assertIsNone(changes[1].after)


class PlanTest(unittest.TestCase):
    def test_the_same_seed_draws_the_same_plan_and_five_minutes_see_every_kind(self):
        nodes = ["n1", "n2", "n3"]
        drawn = plan.draw_plan(1, 120, nodes, 6, True)
        self.assertEqual(drawn, plan.draw_plan(1, 120, nodes, 6, True))
        self.assertNotEqual(drawn, plan.draw_plan(2, 120, nodes, 6, True))
        kinds = {kind[0] for kinds in (plan.NODE_KINDS, plan.ROLE_KINDS, plan.TAKE_OVER_KINDS, plan.STORE_KINDS, plan.ROW_KINDS, plan.CLOCK_KINDS) for kind in kinds}
        for seed in (1, 2, 3):
            self.assertEqual({fault.kind for fault in plan.draw_plan(seed, 300, nodes, 6, True)} - {"long_runs", "planned"}, kinds)

    def test_a_node_that_is_away_for_long_meets_a_store_that_lives(self):
        for seed in range(1, 6):
            drawn = plan.draw_plan(seed, 300, ["n1", "n2", "n3"], 6, True)
            store = [fault for fault in drawn if fault.kind in {kind[0] for kind in plan.STORE_KINDS}]
            away = [fault for fault in drawn if fault.kind in {kind[0] for kind in plan.TAKE_OVER_KINDS}]
            self.assertGreater(len(away), 5)
            for long in away:
                self.assertFalse([fault for fault in store if long.at < fault.at + fault.seconds and fault.at < long.at + long.seconds])

    def test_faults_of_one_node_do_not_overlap(self):
        drawn = plan.draw_plan(3, 600, ["n1", "n2"], 6, False)
        for name in ("n1", "n2"):
            of_node = [fault for fault in drawn if fault.node == name]
            for first, second in zip(of_node, of_node[1:]):
                self.assertLessEqual(first.at + first.seconds, second.at)


def packet(payload):
    return struct.pack("<I", len(payload))[:3] + b"\0" + payload


class Server:
    """Answers each statement with OK and remembers it."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.seen = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            while True:
                try:
                    data = connection.recv(65536)
                except OSError:
                    return
                if not data:
                    return
                self.seen.append(data[5:].decode())
                connection.sendall(b"OK")


class GateTest(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.gates = gate.Gates()
        self.port = self.gates.add("n1", self.server.port)
        self.sockets = []

    def tearDown(self):
        for each in self.sockets:
            each.close()
        self.gates.close()
        self.server.listener.close()

    def connect(self):
        made = socket.create_connection(("127.0.0.1", self.port))
        made.settimeout(5)
        self.sockets.append(made)
        return made

    @staticmethod
    def ask(client, text):
        client.sendall(packet(b"\x03" + text.encode()))
        try:
            return client.recv(100)
        except ConnectionResetError:
            return b""

    def wait_seen(self, text):
        end = time.monotonic() + 5
        while text not in self.server.seen and time.monotonic() < end:
            time.sleep(0.01)
        return text in self.server.seen

    def test_it_passes_statements_and_answers(self):
        self.assertEqual(self.ask(self.connect(), "select 1"), b"OK")

    def test_cut_ends_connections_and_refuses_new_ones_until_restored(self):
        client = self.connect()
        self.ask(client, "select 1")
        self.gates.cut("n1")
        self.assertEqual(self.ask(client, "select 2"), b"")
        with self.assertRaises(OSError):
            self.connect()
        self.gates.restore("n1")
        self.assertEqual(self.ask(self.connect(), "select 3"), b"OK")

    def test_mute_holds_one_direction_back(self):
        client = self.connect()
        self.ask(client, "select 1")
        self.gates.mute("n1", "s2c")
        client.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            self.ask(client, "update 2")
        self.assertTrue(self.wait_seen("update 2"))
        client.settimeout(5)
        self.gates.restore("n1")
        self.assertEqual(client.recv(100), b"OK")
        self.gates.mute("n1", "c2s")
        client.sendall(packet(b"\x03update 3"))
        self.assertEqual(self.ask_is_unseen("update 3"), True)
        self.gates.restore("n1")
        self.assertEqual(client.recv(100), b"OK")

    def ask_is_unseen(self, text):
        # Nothing happens that could be waited for.
        time.sleep(0.2)
        return text not in self.server.seen

    def test_an_answer_is_dropped_after_the_statement_was_done(self):
        trap = gate.Trap("drop_answer", "^commit")
        self.gates.trap("n1", trap)
        client = self.connect()
        self.assertEqual(self.ask(client, "update 1"), b"OK")
        self.assertEqual(self.ask(client, "commit"), b"")
        self.assertTrue(self.wait_seen("commit"))
        self.assertEqual(trap.done, 1)

    def test_a_held_statement_comes_through_after_its_client_died(self):
        self.gates.trap("n1", gate.Trap("hold", "^update", late=0.2))
        client = self.connect()
        client.sendall(packet(b"\x03update 1"))
        self.assertTrue(self.ask_is_unseen("update 1"))
        client.close()
        self.assertTrue(self.wait_seen("update 1"))

    def test_gates_lead_to_another_server_when_told(self):
        self.ask(self.connect(), "select 1")
        other = Server()
        self.gates.retarget(other.port)
        self.assertEqual(self.ask(self.connect(), "select 2"), b"OK")
        self.assertEqual(other.seen, ["select 2"])
        other.listener.close()


class PairTest(unittest.TestCase):
    def test_changes_by_hand_are_not_made_again_by_the_old_server_after_a_failover(self):
        with tempfile.TemporaryDirectory(prefix="disttask-pair.") as folder:
            pair = store.Store(folder, lambda text: None)
            try:
                pair.start()
                pair.sql("create table t (id int primary key, n int); insert into t values (1, 0), (2, 0)")
                pair.sql(f"set session server_id={binlog.MEDDLER}; update t set n=1 where id=1")
                pair.sql("update t set n=2 where id=1")
                pair.sql(f"set session server_id={binlog.MEDDLER}; update t set n=1 where id=2")
                pair.switch(lambda: None, lambda port: None)
                pair.sql("insert into t values (3, 3)")
                old = pair.other
                position = pair.sql("select @@global.gtid_binlog_pos")[0][0]
                self.assertEqual(old.sql(f"select master_gtid_wait('{position}', 25)")[0][0], "0")
                self.assertEqual(old.sql("select id, n from t"), [["1", "2"], ["2", "1"], ["3", "3"]])
            finally:
                pair.remove()


if __name__ == "__main__":
    unittest.main()
