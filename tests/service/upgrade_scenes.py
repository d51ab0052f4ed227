"""Scenes about versions: upgrade, two versions on one store, remove, purge."""

from world import NODE, eventually, expect

SCENES = []


def scene(function):
    """Adds a scene; they run in this order."""
    SCENES.append(function)
    return function


@scene
def upgrade(world):
    """An upgrade with a run under way: the node keeps settings and identity, its instances are restarted too, the task ends."""
    container = world.plain()
    container.must("dpkg", "--purge", "disttask")
    world.install("before", world.before)
    world.settings()
    world.settings("b", node="  instance: b\n  state_dir: /var/lib/disttask-b\n")
    world.started()
    world.started("disttaskd@b")
    pids = [container.show(unit, "MainPID") for unit in ("disttaskd", "disttaskd@b")]
    state = container.must("cat", "/var/lib/disttask/instance")
    settings = container.must("cat", "/etc/disttask/disttask.yaml")
    key = world.submit(6000, subtasks=4)
    eventually("it runs", world.running)
    world.install("now", world.now)
    for unit, pid in zip(("disttaskd", "disttaskd@b"), pids):
        container.wait_for(unit, ActiveState="active", NRestarts="0", MainPID=lambda now, pid=pid: now not in (pid, "0"))
    expect("the identity is the same", container.must("cat", "/var/lib/disttask/instance") == state)
    expect("the settings are kept", container.must("cat", "/etc/disttask/disttask.yaml") == settings)
    expect("no node more", len(world.ctl("node", "ls")) == 2)
    world.wait_task(key)


@scene
def two_versions(world):
    """A daemon, plugins and tool of the version before beside those of this one, on one store: both work, and each tool sees all."""
    container = world.plain()
    container.must("rm", "-rf", "/opt/before")
    container.must("dpkg-deb", "-x", f"/srv/before/{world.before}", "/opt/before")
    world.settings("old", node="  instance: old\n  state_dir: /var/lib/disttask-old\n")
    container.must("sed", "-i", "s#/usr/lib#/opt/before/usr/lib#g", "/etc/disttask/old.yaml")
    world.drop_in("ExecStart=\nExecStart=/opt/before/usr/bin/disttaskd --config /etc/disttask/%i.yaml\n", unit="disttaskd@old.service")
    world.started()
    world.started("disttaskd@old")
    old_tool = "/opt/before/usr/bin/disttaskctl"
    for number, program in enumerate((None, old_tool)):
        key = world.submit(300, subtasks=12, key=f"both-{number}", program=program)
        world.must("disttaskctl", "task", "wait", key, "--timeout", "60s", program=old_tool if program is None else None)
        nodes = world.sql("select distinct exec_id from tidb_background_subtask union select distinct exec_id from tidb_background_subtask_history")
        expect("both have run some", sorted(nodes) == [NODE, NODE + ":old"], str(nodes))
    # The role goes from one version to the other and back.
    for unit, successor in (("disttaskd", NODE + ":old"), ("disttaskd@old", NODE)):
        container.must("systemctl", "stop", unit)
        eventually("the other one schedules", lambda who=successor: world.node(who)["owner"])
        world.wait_task(world.submit(0, subtasks=3))
        world.started(unit)


@scene
def remove(world):
    """Removed, nothing runs and the settings stay; purged, they and the state are gone."""
    container = world.plain()
    world.settings("b")
    world.started()
    world.started("disttaskd@b")
    container.must("apt-get", "remove", "-y", "disttask")
    expect("no process is left", container.run("pidof", "disttaskd").returncode != 0)
    container.must("test", "-f", "/etc/disttask/disttask.yaml")
    container.must("test", "-d", "/var/lib/disttask")
    expect("both have left", world.sql("select distinct life from disttask_node") == ["0"])
    container.must("apt-get", "purge", "-y", "disttask")
    for path in ("/etc/disttask/disttask.yaml", "/etc/disttask/store.password", "/var/lib/disttask", "/var/lib/disttask-b"):
        expect(f"{path} is gone", container.run("test", "-e", path).returncode != 0)
    left = container.must("sh", "-c", "dpkg-query -W -f '${db:Status-Status}' disttask 2>/dev/null || true")
    expect("dpkg knows nothing of it", left in ("", "not-installed"), left)

