"""The plan of faults: drawn from the seed before anything starts, so that the same seed gives the same plan.

Each fault is (at, kind, node or "", seconds, detail). A run is made of storms and take-overs in turn. In a storm, faults of the store do not
overlap each other, nor do faults of one node; all else may fall into each other. In a take-over one node is away for longer than its lease
while the others and the store live, so that it is evicted and its work goes to others: an outage of the store makes all observers begin anew,
so in a storm that is rare. What a fault finds when its time comes (which rows, which
statement) depends on the run.
"""

import random
from collections import namedtuple

Fault = namedtuple("Fault", "at kind node seconds detail")

# Kind, how often in a deck, shortest and longest time in leases. Beyond one lease others take the work.
NODE_KINDS = [
    ("kill", 3, 0.05, 0.4),  # kill -9, started again after that time
    ("freeze_short", 1, 0.1, 0.5),
    ("stop", 1, 0.05, 0.3),  # SIGTERM, started again
    ("gate_cut", 2, 0.1, 0.6),
    ("gate_reset", 2, 0.0, 0.1),  # all connections at once, new ones welcome
    ("gate_mute", 2, 0.2, 1.6),
    ("gate_delay", 1, 0.3, 0.8),
    ("drop_answer", 4, 0.5, 0.8),
    ("hold", 3, 0.8, 1.2),  # a statement comes through after its client died
    ("meta_row", 1, 0.0, 0.1),  # our row of dist_framework_meta deleted
]
# Whoever owns the scheduler role, or plans, when the fault's time comes.
ROLE_KINDS = [
    ("owner_kill", 1, 1.8, 2.2),
    ("owner_freeze", 1, 1.8, 2.4),
    ("owner_stop", 1, 0.1, 0.3),
    ("planner_kill", 1, 0.1, 0.4),
]
TAKE_OVER_KINDS = [
    ("kill_long", 1, 1.8, 2.2),  # kill -9, started again beyond the lease
    ("freeze", 1, 1.8, 2.4),  # SIGSTOP … SIGCONT beyond the lease
    ("gate_cut_long", 1, 2.6, 3.2),
    ("gate_mute_long", 1, 2.6, 3.2),  # neither direction passes
]
GENTLE = ("drop_answer", "hold", "gate_reset", "meta_row")
STORE_KINDS = [
    ("store_restart", 1, 0.1, 0.4),
    ("store_kill", 1, 0.1, 0.4),
    ("store_kill_long", 1, 1.2, 1.5),
    ("failover", 2, 0.0, 0.1),
    ("read_only", 1, 1.3, 1.7),  # longer than the lease
]
ROW_KINDS = [
    ("rows_moved", 2, 0.0, 0.1),
    ("batch_moved", 2, 0.5, 1.0),  # again and again meanwhile
    ("rows_paused", 1, 0.0, 0.1),
    ("rows_cancelled", 1, 0.0, 0.1),
    ("task_cancelled", 1, 0.0, 0.1),
    ("task_paused", 2, 0.2, 0.8),  # and resumed
    ("task_modified", 2, 0.0, 0.1),
    ("node_cordoned", 1, 0.3, 1.0),  # and uncordoned
    ("node_drained", 1, 0.3, 1.0),
    ("node_joined", 2, 1.5, 3.0),  # a new one, which leaves after that time
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
    decks = {"node": Deck(rng, NODE_KINDS), "away": Deck(rng, TAKE_OVER_KINDS), "role": Deck(rng, ROLE_KINDS), "store": Deck(rng, STORE_KINDS), "row": Deck(rng, ROW_KINDS)}
    # It opens with nothing but one node cut off, for so long that it is evicted even if it was the owner: who does not end its runs is found.
    plan.append(Fault(1.0, "long_runs", "", 0.0, ""))
    began = opened = _add(rng, plan, ("gate_cut_long", 1, 3.4, 3.4), rng.choice(nodes), 4.0, lease) + 1.0
    while began < seconds:
        storm = rng.uniform(1.5, 2.2) * lease
        _node_faults(rng, plan, decks["node"], free, began, min(began + storm, seconds), lease)
        began = _store_faults(rng, plan, decks["store"], began, min(began + storm, seconds), lease)
        began = max(began, *free.values())
        if began < seconds - 2 * lease:
            began = _role_fault(rng, plan, decks, free, began, lease)
        if began < seconds:
            began = _take_over(rng, plan, decks, free, began, lease)
    at = opened + rng.uniform(1, 5)
    while at < seconds:
        at = _add(rng, plan, decks["row"].draw(), "", at, lease) + rng.uniform(2, 7)
    if clock:
        at = opened + rng.uniform(0, 10)
        while at < seconds:
            plan.append(Fault(round(at, 2), "clock_step", nodes[-1], 0.0, str(rng.choice([-86400, -7200, -61, -5, 5, 61, 7200, 86400]))))
            at += rng.uniform(10, 25)
    return sorted(plan)


def _add(rng, plan, card, name, at, lease):
    """Adds a fault and returns when it ends."""
    kind, _, least, most = card
    length = round(rng.uniform(least, most) * lease, 2)
    plan.append(Fault(round(at, 2), kind, name, length, _detail(rng, kind)))
    return at + length


def _node_faults(rng, plan, deck, free, began, until, lease):
    at = began
    while at < until:
        card = deck.draw()
        ready = [name for name in free if free[name] <= at]
        if ready:
            name = rng.choice(ready)
            free[name] = _add(rng, plan, card, name, at, lease) + rng.uniform(0.5, 2.0)
        at += rng.uniform(0.6, 2.2)


def _store_faults(rng, plan, deck, began, until, lease):
    """Returns when the last one is over."""
    at = began + rng.uniform(1.0, 4.0)
    over = until
    while at < until:
        over = _add(rng, plan, deck.draw(), "", at, lease)
        at = over + rng.uniform(2.0, 8.0)
    return max(over, until)


def _take_over(rng, plan, decks, free, began, lease):
    """One node is away; the others meet gentle faults only. Returns when it is over."""
    # The nodes first see each other alive, and runs begin that outlast the lease: who is cut off must end them.
    plan.append(Fault(round(began, 2), "long_runs", "", 0.0, ""))
    began += lease / 2
    away = rng.choice(sorted(free))
    over = _add(rng, plan, decks["away"].draw(), away, began, lease)
    gentle = [card for card in NODE_KINDS if card[0] in GENTLE]
    at = began + rng.uniform(0.5, 2.0)
    while at < over - lease:
        name = rng.choice(sorted(name for name in free if name != away))
        at = max(at, free[name])
        free[name] = _add(rng, plan, rng.choice(gentle), name, at, lease) + rng.uniform(0.5, 2.0)
        at += rng.uniform(1.5, 3.0)
    free[away] = over + 1.0
    return over + 1.0


def _role_fault(rng, plan, decks, free, began, lease):
    """The owner, or a planner, goes away while a large task is planned. Returns when it is over."""
    plan.append(Fault(round(began, 2), "planned", "", 0.0, ""))
    over = _add(rng, plan, decks["role"].draw(), "", began + rng.uniform(0.3, 2.5), lease)
    for name in free:
        free[name] = over + 0.5
    return over + 0.5


def _detail(rng, kind):
    if kind == "gate_mute":
        return rng.choice(["c2s", "s2c", "both"]) + " " + rng.choice(["flush", "cut"])
    if kind == "gate_delay":
        return rng.choice(["0.05", "0.2", "0.5"])
    if kind in ("drop_answer", "hold"):
        return rng.choice(STATEMENTS)
    if kind.startswith(("rows_", "batch_", "task_", "node_")):
        return str(rng.randrange(1000))
    return ""


def describe(fault):
    where = fault.node or "store"
    return f"t={fault.at:7.2f} {fault.kind:<15} {where:<6} {fault.seconds:5.2f} s {fault.detail}".rstrip()
