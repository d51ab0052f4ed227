"""Scenes about work and stops: drain, two instances, a store that is away, the sandbox."""

import subprocess
import time

from world import EXAMPLES, NODE, Failed, eventually, expect

SCENES = []


def scene(function):
    """Adds a scene; they run in this order."""
    SCENES.append(function)
    return function


def stop_in_background(world, unit):
    """Begins `systemctl stop` and returns it."""
    leader = world.container.leader()
    return subprocess.Popen(["nsenter", "-t", leader, "-a", "/usr/bin/systemctl", "stop", unit])  # pylint: disable=consider-using-with


@scene
def drain(world):
    """systemctl stop drains: the row says so first, pending subtasks move, what runs ends by itself, longer than TimeoutStopSec; the next start undoes it."""
    container = world.plain()
    world.settings(node="  drain_timeout: 60s\n")
    world.settings("other")
    world.drop_in("TimeoutStopSec=4s\n")
    world.started()
    world.started("disttaskd@other")
    # More than both nodes run at once.
    key = world.submit(10000, subtasks=6)
    eventually("both nodes run", lambda: world.running() and world.running(NODE + ":other"))
    pending = f"select count(*) from tidb_background_subtask where exec_id = '{NODE}' and state = 'pending'"
    expect("something waits on the node", world.number(pending) > 0)
    runs = world.running()
    began = time.monotonic()
    stopping = stop_in_background(world, "disttaskd")
    try:
        container.wait_for("disttaskd", 20, ActiveState="deactivating", StatusText=lambda text: text.startswith("stopping: draining, 1 runs may go on for"))
        node = world.node()
        expect("the row says why", (node["state"], node["wanted"], node["wanted_message"]) == ("live", "draining", "its service stops"), str(node))
        eventually("what waited there moves", lambda: world.number(pending) == 0, 5)
        expect("while the run goes on", world.running() == runs)
        expect("the stop ends", stopping.wait(60) == 0)
    finally:
        stopping.kill()
        stopping.wait()
    took = time.monotonic() - began
    expect("the stop took longer than TimeoutStopSec", took > 5, str(took))
    # systemd forgets what a unit ended with that nothing refers to.
    last = container.must("journalctl", "-u", "disttaskd", "-b", "-n", "4", "-o", "cat", "--no-pager")
    expect("systemd was content", "Deactivated successfully" in last and "timed out" not in last, last)
    for run in runs:
        expect("what ran has ended here", world.state_of(run) == ["succeed", NODE], str(world.state_of(run)))
    node = world.node()
    expect("it has left", (node["state"], node["wanted_message"]) == ("gone", "its service stops"), str(node))
    world.started()
    expect("the next start undoes it", world.node()["wanted"] == "normal", str(world.node()))
    world.wait_task(key)


@scene
def drain_ends(world):
    """When the time of the drain is over, what may run again is given back and ends elsewhere; an operator's drain is kept over stop and start."""
    container = world.plain()
    world.settings(node="  drain_timeout: 2s\n  stop_timeout: 5s\n")
    world.started()
    key = world.submit(15000)
    run = eventually("the task runs", world.running)[0]
    container.must("systemctl", "stop", "disttaskd", limit=14)
    expect("given back", world.state_of(run)[0] == "pending", str(world.state_of(run)))
    world.must("disttaskctl", "node", "drain", NODE, "-m", "new disk")
    world.started()
    container.must("systemctl", "restart", "disttaskd")
    node = world.node()
    expect("the operator's drain is kept", (node["wanted"], node["wanted_message"]) == ("drained", "new disk") or node["wanted"] == "draining", str(node))
    world.must("disttaskctl", "node", "uncordon", NODE)
    world.wait_task(key)


@scene
def instances(world):
    """Two instances beside the first one: own settings, credential, state, identity; one of them stops alone."""
    container = world.plain()
    world.started()
    for name in ("b", "c"):
        world.settings(name)
        world.started(f"disttaskd@{name}")
    eventually("three nodes are live", lambda: sorted(
        node["node"] for node in world.ctl("node", "ls") if node["state"] == "live") == [NODE, NODE + ":b", NODE + ":c"])
    for name in ("b", "c"):
        expect("a state of its own", container.must("stat", "-c", "%U", f"/var/lib/disttask-{name}").strip() == "disttask")
        container.must("test", "-d", f"/run/disttask-{name}")
    world.wait_task(world.submit(100, subtasks=12))
    container.must("systemctl", "stop", "disttaskd@b")
    states = {node["node"]: node["state"] for node in world.ctl("node", "ls")}
    expect("one is stopped", states == {NODE: "live", NODE + ":b": "gone", NODE + ":c": "live"}, str(states))


@scene
def store_away(world):
    """A store that is down at boot: the unit waits, longer than TimeoutStartSec, and says for what; when it is back the node works."""
    container = world.plain()
    # In /etc, since it has to be there after the boot.
    container.write("/etc/systemd/system/disttaskd.service.d/test.conf", "[Service]\nTimeoutStartSec=5s\n")
    container.must("systemctl", "daemon-reload")
    container.must("systemctl", "enable", "disttaskd")
    world.server("stop")
    try:
        container.reboot()
        container.wait_for("disttaskd", ActiveState="activating", StatusText=lambda text: text.startswith("waiting for the store, gone for "))
        began = int(container.show("disttaskd", "InactiveExitTimestampMonotonic"))
        container.wait_for("disttaskd", ActiveState="activating", StatusText=lambda text: container.uptime_us() > began + 9_000_000 and
                           text.startswith(("waiting for the store, gone for 7 s: ", "waiting for the store, gone for 8 s: ", "waiting for the store, gone for 9 s: ",
                                            "waiting for the store, gone for 1")))
        expect("no restart", container.show("disttaskd", "NRestarts") == "0")
    finally:
        world.server("start")
    container.wait_for("disttaskd", ActiveState="active", NRestarts="0")
    world.wait_task(world.submit(0))
    container.must("systemctl", "disable", "disttaskd")
    container.must("rm", "-r", "/etc/systemd/system/disttaskd.service.d")


@scene
def sandbox(world):
    """A file that the sandbox hides is refused with the sandbox's name; with the drop-in that is shipped it is read."""
    container = world.plain()
    container.write("/home/exports/rows.csv", "id,name\n1,a\n2,b\n")
    world.sql("create table rows_read (id int primary key, name varchar(20));")
    world.must("disttaskctl", "schema", "install", "--connection", "here", "--config", "/etc/disttask/disttask.yaml")
    world.started()
    meta = '{"file": "/home/exports/rows.csv", "connection": "here", "target": {"schema": "disttask", "table": "rows_read"}, "header": true}'

    def submit(key):
        world.must("disttaskctl", "task", "submit", "--type", "csv_import", "--key", key, "--meta", meta, "--validate", "off")
        state = eventually("the task ends", lambda: next(
            (task for task in world.ctl("task", "ls", "--all") if task["key"] == key and task["state"] in ("succeed", "failed", "reverted")), None))["state"]
        return state, world.must("disttaskctl", "task", "show", key)

    state, text = submit("hidden")
    expect("it fails and names the sandbox", state != "succeed" and "ProtectHome=" in text, text)
    container.must("sh", "-c", f"mkdir -p /etc/systemd/system/disttaskd.service.d && cp {EXAMPLES}/systemd/home-files.conf /etc/systemd/system/disttaskd.service.d/")
    try:
        container.must("systemctl", "daemon-reload")
        container.must("systemctl", "restart", "disttaskd")
        state, text = submit("seen")
        if state != "succeed":
            raise Failed(f"with the drop-in: {text}")
        expect("both rows are there", world.number("select count(*) from rows_read") == 2)
    finally:
        container.must("rm", "-r", "/etc/systemd/system/disttaskd.service.d")
        container.must("systemctl", "daemon-reload")
