"""What the packages and the service must do under a real systemd; run.sh starts this."""

import argparse
import json
import os
import re
import subprocess
import sys
import time
import traceback

import dev_scenes
import document_scenes
import upgrade_scenes
import work_scenes
from world import NODE, Failed, Skipped, World, eventually, expect

SCENES = []


def scene(function):
    """Adds a scene; they run in this order, in one container."""
    SCENES.append(function)
    return function


@scene
def install(world):
    """The package installs, starts nothing before it is configured, and says what to do."""
    container = world.container
    said = world.install("now", world.now)
    expect("what to do next is said", "/etc/disttask/disttask.yaml" in said and "systemctl enable --now disttaskd" in said, said)
    expect("not enabled", container.run("systemctl", "is-enabled", "disttaskd").stdout.strip() == "disabled")
    expect("not started", container.show("disttaskd", "ActiveState") == "inactive")
    expect("account and folder are there", container.must("stat", "-c", "%U:%G %a", "/etc/disttask").strip() == "root:disttask 750")
    conffiles = container.must("dpkg-query", "-W", "-f", "${Conffiles}", "disttask")
    expect("the settings are a conffile", "/etc/disttask/disttask.yaml" in conffiles, conffiles)
    for file in ("/usr/share/man/man8/disttaskd.8.gz", "/usr/share/man/man1/disttaskctl.1.gz", "/usr/share/bash-completion/completions/disttaskctl",
                 "/usr/share/zsh/vendor-completions/_disttaskctl", "/usr/share/fish/vendor_completions.d/disttaskctl.fish"):
        container.must("test", "-f", file)


@scene
def unconfigured(world):
    """A config error ends the unit with 78, says where it is, and is not restarted."""
    container = world.container
    check = container.run("runuser", "-u", "disttask", "--", "disttaskd", "--check-config")
    expect("the check says what is missing", check.returncode == 78 and "store" in check.stderr, check.stderr)
    container.run("systemctl", "start", "disttaskd")
    container.wait_for("disttaskd", ActiveState="failed", ExecMainStatus="78", NRestarts="0", Result="exit-code")
    # A restart would come after two seconds.
    container.wait_for("disttaskd", InactiveExitTimestampMonotonic=lambda at: time.monotonic() > int(at) / 1e6 + 5)
    container.wait_for("disttaskd", 1, ActiveState="failed", NRestarts="0")
    journal = container.must("journalctl", "-u", "disttaskd", "--no-pager", "-o", "cat")
    expect("the journal says where", "/etc/disttask/disttask.yaml:" in journal, journal)


@scene
def ready(world):
    """READY comes when the node is registered; STATUS is the line that operators read; the password comes as a credential."""
    container = world.plain()
    container.must("systemctl", "enable", "--now", "disttaskd")
    container.wait_for("disttaskd", ActiveState="active", SubState="running", StatusText=lambda text: text.startswith("0/2 slots, 0 tasks, 0 runs, store "))
    expect("the node is live", world.node()["state"] == "live")
    world.wait_task(world.submit(0, subtasks=5))
    pid = container.show("disttaskd", "MainPID")
    expect("nobody is root", container.must("stat", "-c", "%U", f"/proc/{pid}").strip() == "disttask")
    for file in ("environ", "cmdline"):
        expect(f"no password in {file}", world.password not in container.must("cat", f"/proc/{pid}/{file}"))
    expect("no password in the journal", world.password not in container.must("journalctl", "-u", "disttaskd", "--no-pager"))
    expect("the state is kept where the unit says", container.must("ls", "/var/lib/disttask").strip())
    journal = [json.loads(line) for line in container.must("journalctl", "-u", "disttaskd", f"_PID={pid}", "-o", "json", "--no-pager").splitlines()]
    lines = {entry["MESSAGE"]: entry["PRIORITY"] for entry in journal}
    expect("'ready' has the priority of a notice to nobody", [lines[text] for text in lines if text.startswith("ready")] == ["6"], str(lines))
    expect("the journal has the time, the lines have none", not [text for text in lines if re.search(r"\d\d:\d\d:\d\d", text)], str(lines))
    world.drop_in("WatchdogSec=12s\n")  # less than three times what a call of the store may take
    container.must("systemctl", "restart", "disttaskd")
    pid = container.show("disttaskd", "MainPID")
    warnings = container.must("journalctl", "-u", "disttaskd", f"_PID={pid}", "-p", "warning", "-o", "cat", "--no-pager")
    expect("a search for warnings finds the one, and nothing below", "WatchdogSec" in warnings and "ready" not in warnings, warnings)
    world.key = world.submit(20000)
    container.wait_for("disttaskd", StatusText=lambda text: text.startswith("1/2 slots, 1 tasks, 1 runs, store "))
    container.must("systemctl", "disable", "disttaskd")


@scene
def killed(world):
    """After kill -9 systemd starts it again, and it takes its own life over at once."""
    container = world.plain()
    world.started()
    pid = container.show("disttaskd", "MainPID")
    key = world.submit(3000)
    eventually("the task runs", world.running)
    container.must("sh", "-c", f"kill -9 {pid}")
    container.wait_for("disttaskd", ActiveState="active", NRestarts="1", MainPID=lambda now: now not in (pid, "0"))
    world.wait_task(key)


@scene
def stuck(world):
    """A process that stands still, and one whose reactor alone does, is ended by the watchdog and started again."""
    container = world.plain()
    world.drop_in("WatchdogSec=3s\nTimeoutAbortSec=2s\n")
    world.started()
    pid = container.show("disttaskd", "MainPID")
    container.must("sh", "-c", f"kill -STOP {pid}")
    container.wait_for("disttaskd", ActiveState="active", NRestarts="1", MainPID=lambda now: now not in (pid, "0"))
    outside = host_pid(world, container.show("disttaskd", "MainPID"))
    with subprocess.Popen([sys.executable, os.path.join(os.path.dirname(__file__), "stop_thread.py"), outside, "reactor"],
                          stdout=subprocess.PIPE, text=True) as stopper:
        try:
            expect("the reactor is stopped", stopper.stdout.readline() == "stopped\n")
            container.wait_for("disttaskd", Result="watchdog")
        finally:
            stopper.kill()
    container.wait_for("disttaskd", ActiveState="active", NRestarts="2")
    journal = container.must("journalctl", "-u", "disttaskd", "--no-pager", "-o", "cat")
    expect("twice the watchdog", journal.count("Watchdog timeout") == 2, journal)
    # And while all loops move it has nothing to say, with a store that is away for longer than its period, too.
    world.server("stop")
    container.wait_for("disttaskd", StatusText=lambda text: "store gone for 8 s" in text or "store gone for 9 s" in text)
    world.server("start")
    container.wait_for("disttaskd", StatusText=lambda text: ", store " in text and "gone" not in text)
    expect("no further restart", container.show("disttaskd", "NRestarts") == "2")


@scene
def reload(world):
    """systemctl reload applies a new log level to the running process and names what needs a restart; a bad file is named and changes nothing."""
    container = world.plain()
    world.settings(more="log: {level: error}\n")
    world.started()
    pid = container.show("disttaskd", "MainPID")

    def journal():
        return container.must("journalctl", "-u", "disttaskd", "-o", "cat", "--no-pager", f"_PID={pid}")

    first = world.submit(0)
    world.wait_task(first)
    expect("what is below the level is not logged", f"task_key={first} " not in journal())
    world.settings(node="  instance: later\n", more="log: {level: info}\n")
    container.must("systemctl", "reload", "disttaskd")
    eventually("the reload is done", lambda: "the settings were reloaded applied=1" in journal())
    expect("what needs a restart is named", 'a changed setting needs a restart setting="node.instance: ' in journal(), journal())
    expect("and was not applied", world.node()["state"] == "live" and not world.node(NODE + ":later"))
    second = world.submit(0)
    world.wait_task(second)
    eventually("a task is logged now", lambda: f"task_key={second} " in journal())
    container.write("/etc/disttask/disttask.yaml", "node: {slots: many}\n")
    container.must("systemctl", "reload", "disttaskd")
    eventually("the bad place is named", lambda: "/etc/disttask/disttask.yaml:1" in journal())
    world.wait_task(world.submit(0))
    container.wait_for("disttaskd", ActiveState="active", NRestarts="0", MainPID=pid)


def host_pid(world, pid):
    """Returns the process id outside of a process inside."""
    leader = world.container.leader()
    with open(f"/proc/{leader}/task/{leader}/children", encoding="ascii") as file:
        for child in file.read().split():
            with open(f"/proc/{child}/status", encoding="ascii") as status:
                if any(line.startswith("NSpid:") and line.split()[-1] == pid for line in status):
                    return child
    raise Failed(f"no process outside is {pid} inside")


SCENES += [*work_scenes.SCENES, *upgrade_scenes.SCENES, *dev_scenes.SCENES, *document_scenes.SCENES]


def main():
    """Runs the scenes that are asked for; 1 when one failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    for name in ("--base", "--now", "--before", "--work", "--tree"):
        parser.add_argument(name)
    parser.add_argument("scenes", nargs="*")
    arguments = parser.parse_args()
    known = {function.__name__: function for function in SCENES}
    if arguments.list:
        for name, function in known.items():
            print(f"{name:16} {function.__doc__.splitlines()[0]}")
        return 0
    unknown = [name for name in arguments.scenes if name not in known]
    if unknown:
        print(f"there is no scene {unknown[0]}; expected some of {', '.join(known)}", file=sys.stderr)
        return 2
    world = World(arguments)
    failed = 0
    try:
        world.container.boot()
        for name, function in known.items():
            if arguments.scenes and name not in arguments.scenes:
                continue
            began = time.monotonic()
            try:
                function(world)
                print(f"ok      {name} ({time.monotonic() - began:.1f} s): {function.__doc__}", flush=True)
            except Skipped as reason:
                is_error = bool(os.environ.get("DISTTASK_TESTS_NO_SKIP"))
                failed += is_error
                print(f"{'FAILED ' if is_error else 'skipped'} {name}: {reason}", flush=True)
            except Failed as failure:
                failed += 1
                print(f"FAILED  {name} ({time.monotonic() - began:.1f} s): {function.__doc__}\n{failure}", flush=True)
                print(world.container.run("journalctl", "-u", "disttaskd*", "-b", "-n", "25", "--no-pager", "-o", "short-monotonic").stdout, flush=True)
    except Exception:  # whatever it is, the console is wanted
        traceback.print_exc()
        failed += 1
        with open(os.path.join(arguments.work, "console"), encoding="utf-8", errors="replace") as console:
            print(console.read()[-3000:])
    finally:
        world.container.close()
    print(f"{node_text()}{failed} failed" if failed else f"{node_text()}all ok")
    return 1 if failed else 0


def node_text():
    """What the last line begins with."""
    return f"tests/service on {NODE}: "


if __name__ == "__main__":
    sys.exit(main())
