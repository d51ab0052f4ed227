"""A booted Debian with systemd as process 1, in a container that shares the host's network and nothing else but the folders that it is given."""

import os
import subprocess
import time


class Failed(Exception):
    """What a scene expected did not come."""


class Skipped(Exception):
    """What a scene is about is not there."""


def eventually(what, look, limit=60.0):
    """Looks until it gets something true and returns that; Failed, naming `what` and what was seen last, after the limit."""
    end = time.monotonic() + limit
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {limit:.0f} s")
        time.sleep(0.1)


class Container:
    """One container above a root folder that stays as it is."""

    def __init__(self, base, folder, shared):
        self.folder = folder
        self.root = os.path.join(folder, "root")
        self.shared = shared
        self.process = None
        self.console = open(os.path.join(folder, "console"), "ab")  # pylint: disable=consider-using-with
        for name in ("root", "upper", "overlay"):
            os.makedirs(os.path.join(folder, name))
        subprocess.run(
            ["mount", "-t", "overlay", "overlay", "-o",
             f"lowerdir={base},upperdir={folder}/upper,workdir={folder}/overlay", self.root], check=True)

    def boot(self):
        """Starts it and waits until systemd has come up."""
        self._start()
        self._wait_until_up()

    def _start(self):
        binds = [f"--bind={outside}:{inside}" for outside, inside in self.shared.items()]
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            ["setpriv", "--pdeathsig", "KILL", "systemd-nspawn", "--register=no", "--keep-unit", "-q", "--machine=disttask-test", "-D", self.root, *binds, "-b"],
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=subprocess.STDOUT)

    def _wait_until_up(self):
        def is_up():
            if self.process.poll() is not None:
                raise Failed(f"the container ended with {self.process.returncode}: see its console below")
            return self.leader() and self.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")
        eventually("the container boots", is_up, 120)

    def leader(self):
        """Returns the process id, on the host, of its process 1; nothing while there is none."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = file.read().split()
        return children[0] if children else None

    def reboot(self):
        """Starts it anew with what is on its disk; returns when its systemd answers, whatever still starts."""
        self.halt()
        self._start()
        eventually("the container boots", lambda: self.leader() and self.run("systemctl", "is-active", "multi-user.target").stdout.strip() in (
            "active", "inactive", "activating"), 120)

    def uptime_us(self):
        """Returns the clock that systemd's monotonic times are counted on."""
        return int(float(self.must("cat", "/proc/uptime").split()[0]) * 1e6)

    def halt(self):
        """Powers it off and waits."""
        if self.process is None or self.process.poll() is not None:
            return
        self.run("systemctl", "poweroff", "--no-block")
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def close(self):
        """Ends it and leaves nothing mounted."""
        self.halt()
        subprocess.run(["umount", self.root], check=True)
        self.console.close()

    def run(self, *words, stdin=None, limit=120):
        """Runs a program inside to its end; returns it with returncode, stdout and stderr."""
        leader = self.leader()
        if leader is None:
            return subprocess.CompletedProcess(words, 255, "", "the container has no process")
        return subprocess.run(
            ["nsenter", "-t", leader, "-a", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
             "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", *words],
            input=stdin, capture_output=True, text=True, timeout=limit, check=False)

    def must(self, *words, **options):
        """The same for one that must succeed; returns its output."""
        done = self.run(*words, **options)
        if done.returncode != 0:
            raise Failed(f"{' '.join(words)}: ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def write(self, path, text, mode="644", owner="root:root"):
        """Writes a file inside."""
        self.must("install", "-D", "-m", mode, "/dev/stdin", path, stdin=text)
        self.must("chown", owner, path)

    def show(self, unit, name):
        """Returns one property of a unit."""
        return self.must("systemctl", "show", "--value", "-p", name, unit).strip()

    def wait_for(self, unit, limit=60.0, **wanted):
        """Waits until properties of a unit have these values, or fulfil these functions."""
        seen = {}

        def look():
            for name, value in wanted.items():
                seen[name] = self.show(unit, name)
                if not (value(seen[name]) if callable(value) else seen[name] == value):
                    return False
            return True
        try:
            eventually("", look, limit)
        except Failed:
            status = self.run("systemctl", "status", "--no-pager", "-n", "15", unit).stdout
            expected = {name: value for name, value in wanted.items() if not callable(value)}
            raise Failed(f"{unit}: {seen} after {limit:.0f} s, expected {expected or 'something else'}\n{status}") from None
        return seen
