"""A small cluster for the blocks of one page: a schema of its own, nodes n1 and n3 with the page's settings, and what a block finds when it runs."""
import contextlib
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

import yaml

import settings

# Schemas and keys of the documents that get names of their own on the server, so that pages can be run at the same time.
SCHEMAS = ("sales", "shop", "archive")
# Programs of an operator's machine that are not run here. Each says what it does instead; anything else that it is asked for is an error.
SHIMS = {
    "sudo": 'while [[ "$1" == -* ]]; do case $1 in -u|-g) shift 2;; *) shift;; esac; done; exec "$@"',
    "systemctl": 'case "$*" in "restart disttaskd"|"reload disttaskd") echo "$1" >"$SCENE/asked"; read -r answer <"$SCENE/answered"; [ "$answer" = done ] ;; '
                 '*) echo "systemctl $*: not known here" >&2; exit 1 ;; esac',
    "ssh": 'case "$*" in "n3 "*) ;; *) echo "ssh $*: not known here" >&2; exit 1;; esac',
    # The port of the first node, whose pages are at another than the usual one.
    "curl": 'exec /usr/bin/curl "${@//127.0.0.1:7460/$(<"$SCENE/pages")}"',
}


# Of a block, in seconds; many times what one takes.
LIMIT = 100


class SceneError(Exception):
    pass


class Server:
    """The server of DISTTASK_TEST_DSN."""

    def __init__(self, dsn):
        self.url = urllib.parse.urlsplit(dsn)
        self.query = dict(urllib.parse.parse_qsl(self.url.query))
        self.user = urllib.parse.unquote(self.url.username or "root")
        self.password = urllib.parse.unquote(self.url.password or "")

    def dsn(self, schema):
        return urllib.parse.urlunsplit(self.url._replace(path="/" + schema))

    def section(self, folder):
        """How settings name it."""
        found = {"user": self.user}
        if "socket" in self.query:
            found["socket"] = self.query["socket"]
        else:
            found["endpoints"] = [f"{self.url.hostname}:{self.url.port or 3306}"]
        if self.password:
            path = folder / "server.password"
            path.write_text(self.password, encoding="utf-8")
            path.chmod(0o600)
            found["password_file"] = str(path)
        if "tls" in self.query:
            found["tls"] = {"mode": self.query["tls"], **({"ca": self.query["ca"]} if "ca" in self.query else {})}
        return found

    def sql(self, text, schema=""):
        command = ["mariadb", "--no-defaults", "--batch", f"--user={self.user}"]
        command += [f"--socket={self.query['socket']}"] if "socket" in self.query else [f"--host={self.url.hostname}", f"--port={self.url.port or 3306}"]
        if "ca" in self.query:
            command.append(f"--ssl-ca={self.query['ca']}")
        result = subprocess.run([*command, *([schema] if schema else [])], input=text, capture_output=True, text=True, check=False,
                                env=dict(os.environ, MYSQL_PWD=self.password))
        if result.returncode != 0:
            raise SceneError(f"{text}: {result.stderr.strip()}")
        return result.stdout


class Node:
    """A daemon of the scene."""

    def __init__(self, program, folder, name, config):
        self.name = name
        self.command = [program, "--config", str(config)]
        self.log = folder / f"{name}.log"
        self.path = str(folder / f"{name}.notify")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.path)
        self.notify.settimeout(60)
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=dict(os.environ, NOTIFY_SOCKET=self.path))

    def wait_ready(self):
        try:
            while b"READY=1" not in self.notify.recv(65536):
                if self.process.poll() is not None:
                    break
        except TimeoutError:
            pass
        if self.process.poll() is not None:
            raise SceneError(f"{self.name} did not get ready: {self.log.read_text(encoding='utf-8')[-2000:]}")

    def reload(self):
        self.process.send_signal(signal.SIGHUP)
        self.wait_ready()

    def ask_to_stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def wait_stopped(self):
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Scene:
    """Use as a context; `run` runs a block."""

    def __init__(self, root, build, dsn, fragments):
        self.root, self.build = root, build
        self.server = Server(dsn)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="disttask-docs."))
        self.mark = "docs_" + secrets.token_hex(4)
        self.schema = f"{self.mark}_disttask"
        self.words = {name: f"{self.mark}_{name}" for name in SCHEMAS}
        self.left_out = []  # pieces of a document's text that cannot be had here
        self.ids = {}  # id:42 of a document: the number that it has here
        self.fragments = fragments
        self.nodes = []
        self.more_environment = {}
        self.live = None  # a server of its own, for what names schema mysql
        self.prepared = set()
        self.asked, self.answered = self.folder / "asked", self.folder / "answered"
        self.keeper = threading.Thread(target=self._keep)

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.asked.exists():
            with open(self.asked, "w", encoding="ascii") as asked:
                asked.write("end\n")
            self.keeper.join()
        self._stop_nodes()
        if self.live:
            self.private_server("remove")
        for schema in (self.schema, *self.words.values()):
            with contextlib.suppress(SceneError):
                self.server.sql(f"drop database if exists `{schema}`")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _stop_nodes(self):
        for node in self.nodes:
            node.ask_to_stop()
        for node in self.nodes:
            node.wait_stopped()

    def _restart_nodes(self):
        self._stop_nodes()
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.wait_ready()

    def _keep(self):
        """The service manager: restarts the nodes, or lets them reload, when its stand-in asks for it."""
        while True:
            with open(self.asked, encoding="ascii") as asked:
                wish = asked.read().strip()
            if wish == "end":
                return
            answer = "done"
            try:
                if wish == "reload":
                    for node in self.nodes:
                        node.reload()
                else:
                    self._restart_nodes()
            except SceneError:
                answer = "failed"
            with open(self.answered, "w", encoding="ascii") as answered:
                answered.write(answer + "\n")

    def _start(self):
        self.server.sql("".join(f"create database `{schema}` character set utf8mb4;" for schema in (self.schema, *self.words.values())))
        bin_folder = self.folder / "bin"
        bin_folder.mkdir()
        # The settings that it reads when it is not told are here elsewhere.
        daemon = f'case "$*" in *--config*) ;; *) set -- --config "$SCENE/etc/disttask/disttask.yaml" "$@" ;; esac; exec {self.build}/daemon/disttaskd "$@"'
        tool = f'case "$1 $*" in "config "*--config*) ;; "config "*) set -- --config "$SCENE/etc/disttask/disttask.yaml" "$@" ;; esac; exec {self.build}/daemon/ctl/disttaskctl "$@"'
        for name, text in {**SHIMS, "disttaskd": daemon, "disttaskctl": tool}.items():
            (bin_folder / name).write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
            (bin_folder / name).chmod(0o755)
        plugins = self.folder / "usr/local/lib/disttask/plugins"
        plugins.mkdir(parents=True)
        for path in ("plugins/example.so", "plugins/csv_import.so", "plugins/sql_batch.so"):
            shutil.copyfile(self.build / path, plugins / pathlib.Path(path).name)
        self.ctl("schema", "install")
        for name in ("n1", "n3"):
            self.nodes.append(Node(self.build / "daemon/disttaskd", self.folder, name, self._write_config(name)))
        for node in self.nodes:
            node.wait_ready()
        served = re.search(r"pages are served url=http://([\d.:]+)/", self.nodes[0].log.read_text(encoding="utf-8"))
        (self.folder / "pages").write_text(served.group(1), encoding="ascii")
        os.mkfifo(self.answered)
        os.mkfifo(self.asked)
        self.keeper.start()
        # The file that a document says to write or to check.
        shutil.copyfile(self.folder / "n1.yaml", self.folder / "etc/disttask/disttask.yaml")

    def _write_config(self, name):
        server = self.server.section(self.folder)
        tree = {"node": {"id": name, "slots": 4, "state_dir": str(self.folder / name), "lease": "30s"}, "store": {**server, "schema": self.schema},
                "plugins": {"dir": "/usr/local/lib/disttask/plugins"}, "http": {"listen": "127.0.0.1:0"}}
        for fragment in self.fragments:
            tree = settings.merged(tree, {key: value for key, value in fragment.items() if key in ("plugins", "connections")})
        connection = {("endpoint" if key == "endpoints" else key): (value[0] if key == "endpoints" else value) for key, value in server.items()}
        for known in tree.get("connections", {}).values():
            for key in ("endpoint", "socket", "user", "password_file", "tls"):
                known.pop(key, None)
            known.update(connection)
        tree = yaml.safe_load(self.mapped(yaml.safe_dump(tree)))
        settings.files_of(self.folder, tree)
        (self.folder / "etc/disttask").mkdir(parents=True, exist_ok=True)
        return settings.write(self.folder / f"{name}.yaml", tree)

    def mapped(self, text):
        """The text of a document with the names that things have here."""
        for piece in self.left_out:
            text = text.replace(piece, "")
        text = settings.moved(text, self.folder)
        text = re.sub(r"mysql://(?:admin|operator)@[\w.:]+/disttask\b", lambda _: self.server.dsn(self.schema), text)
        for name, ours in self.words.items():
            text = re.sub(rf"(?<![\w/-]){name}(?![\w-])", ours, text)
        for number, ours in self.ids.items():
            text = re.sub(rf"\bid:{number}\b", f"id:{ours}", text)
        return text

    def environment(self):
        return {"PATH": f"{self.folder}/bin:/usr/bin:/bin", "HOME": str(self.folder), "SCENE": str(self.folder), "DISTTASK_STORE": self.server.dsn(self.schema), "LC_ALL": "C.UTF-8",
                **self.more_environment}

    def ctl(self, *arguments):
        """Runs disttaskctl for the scene; returns its stdout."""
        result = subprocess.run([str(self.build / "daemon/ctl/disttaskctl"), *arguments], capture_output=True, text=True, check=False, env=self.environment(),
                                stdin=subprocess.DEVNULL, timeout=100)
        if result.returncode != 0:
            raise SceneError(f"{' '.join(arguments)}: {result.stderr.strip()}")
        return result.stdout

    def private_server(self, command):
        """Starts or removes the server of `live`."""
        subprocess.run([str(self.root / "deploy/private-mariadb.sh"), command, str(self.folder / "live")], check=True, stdout=subprocess.DEVNULL)

    def prepare(self, name):
        """Makes what the scene of that name promises, once for a page."""
        if name not in SCENES:
            raise SceneError(f"there is no scene '{name}'; known are {', '.join(SCENES)}")
        if name not in self.prepared:
            self.prepared.add(name)
            SCENES[name](self)

    def run(self, block):
        """Runs a block; returns what went wrong, empty when nothing."""
        self.prepare(block.scene())
        is_playground = block.scene() == "playground"
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        if block.language == "sql" and block.scene() == "live tables":
            self.live.sql(block.text)
            return ""
        if block.language == "sql":
            self.server.sql(self.mapped(block.text), self.words["sales"])
            return ""
        codes = " | ".join(str(code) for code in sorted(block.codes() | {0}))
        # Each command's own end counts, that of the last line too; 141: a reader like head has left.
        script = (f"set -uo pipefail\nended() {{ case $1 in {codes} | 141) ;; *) echo \"$2\" >>failed ;; esac; }}\n"
                  f"trap 'ended $? \"code $?: $BASH_COMMAND\"' ERR\n{block.text if is_playground else self.mapped(block.text)}\ntrue\n")
        around = [str(self.root / "deploy/playground.sh")] if is_playground else []
        around_env = dict(os.environ, PLAYGROUND_BUILD=str(self.build), PLAYGROUND_ROWS="100000") if is_playground else self.environment()
        process = subprocess.Popen([*around, "bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=around_env, cwd=work,
                                   stdin=subprocess.DEVNULL, start_new_session=True)
        words = []
        try:
            said, _ = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            words.append(f"did not end within {LIMIT} s")
        failed = work / "failed"
        if failed.exists():
            words += failed.read_text(encoding="utf-8").strip().splitlines()
            failed.unlink()
        elif process.returncode != 0 and not words:
            words.append(f"ended with {process.returncode}")
        return f"{block.where()}: {' / '.join(words)}\n{said[-6000:]}" if words else ""


def plain(_):
    """Two nodes with the shipped plugins, and nothing else."""


def playground(_):
    """The shell of deploy/playground.sh, with a server and nodes of its own."""


def orders(scene):
    """A file orders.csv and the empty tables that it goes to, as csv_import's page has them."""
    folder = scene.folder / "srv/import"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orders.csv").write_text("id,name\n" + "".join(f"{i},order {i}\n" for i in range(1, 501)), encoding="utf-8")
    scene.server.sql("create table orders (id bigint not null primary key, name varchar(100)); create table t like orders; "
                     "insert into t values (1, 'a'), (2, null)", scene.words["sales"])


def big_table(scene):
    """A table with rows to change, as sql_batch's page has it. The server has no replica, so nothing waits for one."""
    scene.left_out.append('"max_lag": "5s", "replicas": ["shop-replica"], ')
    scene.server.sql("create table orders (id bigint not null auto_increment primary key, status varchar(20) not null, version int not null, created date not null, "
                     "key (status, created)); insert into orders (status, version, created) select 'open', 1, '2024-06-01' from seq_1_to_3000", scene.words["shop"])


def ready_batch(scene):
    """The same, with the ledger, and a meta of sql_batch in the file batch.yaml."""
    big_table(scene)
    scene.ctl("--config", str(scene.folder / "etc/disttask/disttask.yaml"), "schema", "install", "--connection", scene.words["shop"])
    work = scene.folder / "work"
    work.mkdir(exist_ok=True)
    (work / "batch.yaml").write_text(scene.mapped("connection: shop\ntable: shop.orders\nstatement: update orders set version = version + 1 where {range}\n"),
                                     encoding="utf-8")


def tasks(scene):
    """Tasks: nightly-2026-03-01, which succeeded, and the one with the number 42, which runs for long."""
    scene.ctl("task", "submit", "--type", "example", "--key", "nightly-2026-03-01", "--meta", '{"subtasks": 3}', "--wait")
    # Its one subtask runs on n1, so that n3 is soon empty.
    scene.ctl("node", "cordon", "n3")
    told = scene.ctl("task", "submit", "--type", "example", "--key", "long", "--meta", '{"subtasks": 1, "sleep_ms": 600000}', "-o", "json")
    scene.ids[42] = re.search(r'"id":\s*(\d+)', told).group(1)
    end = time.monotonic() + LIMIT
    while '"running"' not in scene.ctl("task", "subtasks", "long", "-o", "json"):
        if time.monotonic() > end:
            raise SceneError("the long task does not begin")
        time.sleep(0.05)
    scene.ctl("node", "uncordon", "n3")


def live_tables(scene):
    """A server with the tables of a TiDB's framework in its schema mysql, ours beside them in disttask, and the accounts that rights are granted to."""
    scene.live = Server(f"mysql://root@localhost/?socket={scene.folder}/live/s.sock")
    scene.private_server("start")
    scene.live.sql("create database disttask; create user disttask_daemon, reader@'10.0.0.%'")
    scene.ctl("--store", scene.live.dsn("disttask"), "schema", "install")
    for table in ("tidb_global_task", "tidb_global_task_history", "tidb_background_subtask", "tidb_background_subtask_history", "dist_framework_meta"):
        scene.live.sql(f"create table mysql.{table} like disttask.{table}")


def hello(scene):
    """The folder of the guide's first plugin, on a machine where disttask is installed."""
    shutil.copytree(scene.root / "docs/examples/hello_plugin", scene.folder / "work", dirs_exist_ok=True)
    subprocess.run(["cmake", "--install", str(scene.build), "--prefix", str(scene.folder / "usr/local")], check=True, stdout=subprocess.DEVNULL,
                   env=dict(os.environ, CMAKE_INSTALL_MODE="ABS_SYMLINK_OR_COPY"))
    scene.more_environment["CMAKE_PREFIX_PATH"] = str(scene.folder / "usr/local")


SCENES = {"plain": plain, "playground": playground, "orders": orders, "big table": big_table, "ready batch": ready_batch, "tasks": tasks, "hello": hello, "live tables": live_tables}
