"""The plan of faults: drawn from the seed before anything starts, so that the same seed gives the same plan.

Each fault is (at, kind, node or "", seconds, detail). Faults of the store do not overlap each other, nor do faults of one node; a fault of a
node may fall into one of the store, and faults of several nodes into each other. What a fault finds when its time comes (which rows, which
statement) depends on the run.
"""

import random
from collections import namedtuple

Fault = namedtuple("Fault", "at kind node seconds detail")

# Kind, how often in a deck, shortest and longest time in leases. Beyond one lease others take the work.
NODE_KINDS = [
    ("kill", 3, 0.05, 0.4),  # kill -9, started again after that time
    ("kill_long", 1, 1.4, 2.0),  # the same, beyond the lease
    ("freeze", 2, 1.4, 2.2),  # SIGSTOP … SIGCONT beyond the lease
    ("freeze_short", 1, 0.1, 0.5),
    ("stop", 1, 0.05, 0.3),  # SIGTERM, started again
    ("gate_cut", 2, 0.1, 0.6),
    ("gate_cut_long", 1, 1.6, 2.4),
    ("gate_reset", 2, 0.0, 0.1),  # all connections at once, new ones welcome
    ("gate_mute", 2, 0.2, 1.6),
    ("gate_delay", 1, 0.3, 0.8),
    ("drop_answer", 4, 0.5, 0.8),
    ("hold", 3, 0.8, 1.2),  # a statement comes through after its client died
    ("meta_row", 1, 0.0, 0.1),  # our row of dist_framework_meta deleted
]
STORE_KINDS = [
    ("store_restart", 1, 0.1, 0.4),
    ("store_kill", 1, 0.1, 0.4),
    ("store_kill_long", 1, 1.2, 1.5),
    ("failover", 2, 0.0, 0.1),
    ("read_only", 1, 1.3, 1.7),  # longer than the lease
]
ROW_KINDS = [
    ("rows_moved", 2, 0.0, 0.1),
    ("rows_paused", 1, 0.0, 0.1),
    ("rows_cancelled", 1, 0.0, 0.1),
    ("task_cancelled", 1, 0.0, 0.1),
    ("task_paused", 2, 0.2, 0.8),  # and resumed
    ("task_modified", 1, 0.0, 0.1),
]
CLOCK_KINDS = [("clock_step", 2, 0.0, 0.1)]
STATEMENTS = ["start", "finish", "commit", "any write"]


class Deck:
    """Draws kinds so that each comes as often as it shall before the first comes once more."""

    def __init__(self, rng, kinds):
        self.rng = rng
        self.cards = [kind for kind in kinds for _ in range(kind[1])]
        self.left = []

    def draw(self):
        if not self.left:
            self.left = self.cards[:]
            self.rng.shuffle(self.left)
        return self.left.pop()


def draw_plan(seed, seconds, nodes, lease, clock):
    """Returns the faults of a run of so many seconds, by time. `nodes` are names; the last one's clock is stepped if `clock`."""
    rng = random.Random(f"plan {seed}")
    plan = []
    free = dict.fromkeys(nodes, 0.0)
    node_deck = Deck(rng, NODE_KINDS)
    at = 1.0
    while at < seconds:
        kind, _, least, most = node_deck.draw()
        ready = [name for name in nodes if free[name] <= at]
        if ready:
            name = rng.choice(ready)
            length = round(rng.uniform(least, most) * lease, 2)
            plan.append(Fault(round(at, 2), kind, name, length, _detail(rng, kind)))
            free[name] = at + length + rng.uniform(0.5, 2.0)
        at += rng.uniform(0.6, 2.2)
    _alone(rng, plan, Deck(rng, STORE_KINDS), seconds, lease, gap=(5.0, 14.0))
    _alone(rng, plan, Deck(rng, ROW_KINDS), seconds, lease, gap=(2.0, 7.0))
    if clock:
        at = rng.uniform(5, 15)
        while at < seconds:
            plan.append(Fault(round(at, 2), "clock_step", nodes[-1], 0.0, str(rng.choice([-86400, -7200, -61, -5, 5, 61, 7200, 86400]))))
            at += rng.uniform(10, 25)
    return sorted(plan)


def _alone(rng, plan, deck, seconds, lease, gap):
    at = rng.uniform(*gap)
    while at < seconds:
        kind, _, least, most = deck.draw()
        length = round(rng.uniform(least, most) * lease, 2)
        plan.append(Fault(round(at, 2), kind, "", length, _detail(rng, kind)))
        at += length + rng.uniform(*gap)


def _detail(rng, kind):
    if kind == "gate_mute":
        return rng.choice(["c2s", "s2c", "both"]) + " " + rng.choice(["flush", "cut"])
    if kind == "gate_delay":
        return rng.choice(["0.05", "0.2", "0.5"])
    if kind in ("drop_answer", "hold"):
        return rng.choice(STATEMENTS)
    if kind.startswith(("rows_", "task_")):
        return str(rng.randrange(1000))
    return ""


def describe(fault):
    where = fault.node or "store"
    return f"t={fault.at:7.2f} {fault.kind:<15} {where:<6} {fault.seconds:5.2f} s {fault.detail}".rstrip()
