"""What the scenes share: the container, the store on the host, packages, settings, and what operators type."""

import json
import os
import secrets
import subprocess

from container import Container, Failed, Skipped, eventually

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
NODE = "disttask-test"
SERVER = "/srv/store/s.sock"
EXAMPLES = "/usr/share/doc/disttask/examples"


class World:
    """One container with the store beside it."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.store_dir = os.path.join(arguments.work, "store")
        self.password = secrets.token_hex(12)
        self.num_tasks = 0
        self.before = self.package(arguments.before, "disttask")
        self.now = self.package(arguments.now, "disttask")
        self.before_dev = self.package(arguments.before, "libdisttask-dev")
        self.now_dev = self.package(arguments.now, "libdisttask-dev")
        self.version = subprocess.run(
            ["dpkg-deb", "--field", os.path.join(arguments.now, self.now), "Version"], capture_output=True, text=True, check=True).stdout.strip()
        self.plugins = self.examples = None
        self.ran = set()  # blocks of documents
        shared = {self.store_dir: "/srv/store", arguments.now: "/srv/now", arguments.before: "/srv/before", ROOT: ROOT}
        if arguments.tree:
            shared[arguments.tree] = arguments.tree
        self.container = Container(arguments.base, arguments.work, shared)

    @staticmethod
    def package(folder, name):
        """Returns the file name of a package in a folder."""
        found = [file for file in os.listdir(folder) if file.startswith(name + "_") and file.endswith(".deb")]
        if len(found) != 1:
            raise Failed(f"{folder} has {len(found)} packages {name}, expected one")
        return found[0]

    # --- the store ---

    def server(self, command):
        """Starts or stops the store."""
        subprocess.run([os.environ["PRIVATE_MARIADB"], command, self.store_dir], check=True)

    def sql(self, text, schema="disttask"):
        """Runs SQL as root of the store; returns its lines."""
        done = subprocess.run(
            ["mariadb", "--no-defaults", f"--socket={self.store_dir}/s.sock", "--user=root", "-N", "-B", *([schema] if schema else [])],
            input=text, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{text}: {done.stderr}")
        return done.stdout.splitlines()

    def number(self, text):
        """Returns one number of the store."""
        return int(self.sql(text)[0])

    def empty_store(self):
        """Makes the schema anew."""
        self.sql(f"drop database if exists disttask; create database disttask; create or replace user disttask@localhost identified by '{self.password}'; "
                 "grant all on disttask.* to disttask@localhost;", schema=None)
        self.must("disttaskctl", "schema", "install", user="root", password="")

    # --- the packages and their settings ---

    def tree(self):
        """Returns the folder of a finished build of the sources."""
        if not self.arguments.tree:
            raise Skipped("there is no build of the sources; DISTTASK_SERVICE_TREE names one, as in the run of all tests")
        return self.arguments.tree

    def install(self, folder, *names):
        """Installs packages and returns what was said."""
        return self.container.must("apt-get", "install", "-y", "--no-install-recommends", "--allow-downgrades", "-o", "Dpkg::Options::=--force-confold",
                                   *(f"/srv/{folder}/{name}" for name in names), limit=300)

    def settings(self, instance=None, node="", more=""):
        """Writes settings and password of a node; `node` are further lines of that section, `more` further sections."""
        name = instance or "disttask"
        self.container.write(f"/etc/disttask/{name}.yaml", self.settings_text(node, more))
        self.container.write(f"/etc/disttask/{instance or 'store'}.password", self.password + "\n", mode="600")

    def settings_text(self, node="", more=""):
        """Returns the settings of a node."""
        if not self.plugins:
            files = self.container.must("dpkg", "-L", "disttask").split()
            self.plugins = next(file for file in files if file.endswith("/disttask/plugins"))
            self.examples = next(file for file in files if file.endswith("/disttask/examples/example.so"))
        return f"""node:
  slots: 2
  lease: 6s
{node}store:
  socket: {SERVER}
  user: disttask
  password_credential: store-password
  connect_timeout: 2s
  read_timeout: 3s
plugins:
  list: [{self.plugins}/csv_import.so, {self.examples}]
  config: {{csv_import: {{allowed_dirs: [/home/exports]}}}}
connections:
  here: {{socket: {SERVER}, user: root, types: [csv_import], schemas: [disttask]}}
http: {{listen: "127.0.0.1:0"}}
{more}"""

    def drop_in(self, text, unit="disttaskd.service"):
        """Changes the unit, until the next call of `plain`."""
        self.container.write(f"/run/systemd/system/{unit}.d/test.conf", "[Unit]\nStartLimitBurst=1000\n[Service]\n" + text)
        self.container.must("systemctl", "daemon-reload")

    def plain(self):
        """Stops all, and begins anew: the installed package with settings and an empty store."""
        run = self.container.run
        run("sh", "-c", "systemctl kill -s KILL 'disttaskd*'; systemctl stop 'disttaskd*'; rm -rf /run/systemd/system/disttaskd* /var/lib/disttask*/*")
        run("systemctl", "daemon-reload")
        run("systemctl", "reset-failed")
        if self.container.run("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", "disttask").stdout != f"installed {self.version}":
            self.install("now", self.now)
        self.empty_store()
        self.settings()
        return self.container

    def started(self, unit="disttaskd"):
        """Starts a unit and waits for its state."""
        self.container.must("systemctl", "start", unit)
        self.container.wait_for(unit, ActiveState="active", StatusText=lambda text: "slots" in text)

    # --- what operators type ---

    def must(self, *words, user="disttask", password=None, program=None):
        """Runs disttaskctl inside and returns its output."""
        store = f"mysql://{user}@localhost/disttask?socket={SERVER}"
        password = self.password if password is None else password
        words = (program or words[0], *words[1:])
        return self.container.must("env", f"DISTTASK_STORE={store}", f"DISTTASK_PASSWORD={password}", *words)

    def ctl(self, *words, **options):
        """The same; returns what its JSON says."""
        return json.loads(self.must("disttaskctl", *words, "-o", "json", **options))

    def submit(self, sleep_ms, subtasks=1, key=None, program=None):
        """Submits a task that sleeps; returns its key."""
        self.num_tasks += 1
        key = key or f"task-{self.num_tasks}"
        meta = json.dumps({"subtasks": subtasks, "sleep_ms": sleep_ms})
        self.must("disttaskctl", "task", "submit", "--type", "example", "--key", key, "--meta", meta, "--validate", "off", program=program)
        return key

    def wait_task(self, key, limit="60s"):
        """Waits until a task has succeeded."""
        self.must("disttaskctl", "task", "wait", key, "--timeout", limit)

    def node(self, name=NODE):
        """Returns what `node ls` says of a node."""
        return next((node for node in self.ctl("node", "ls") if node["node"] == name), None)

    def running(self, node=NODE):
        """Returns the ids of subtasks that run on a node."""
        return self.sql(f"select id from tidb_background_subtask where exec_id = '{node}' and state = 'running'")

    def state_of(self, subtask):
        """Returns state and node of a subtask, also of one that went to history."""
        return self.sql("\n".join(
            f"select state, exec_id from {table} where id = {subtask};" for table in ("tidb_background_subtask", "tidb_background_subtask_history")))[0].split("\t")


def expect(what, truth, detail=""):
    """Failed, unless it is true."""
    if not truth:
        raise Failed(f"expected: {what}{': ' if detail else ''}{detail}")


__all__ = ["EXAMPLES", "Failed", "NODE", "ROOT", "SERVER", "Skipped", "World", "eventually", "expect"]
