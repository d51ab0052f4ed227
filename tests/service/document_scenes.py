"""Scenes that run the documents' blocks of installing, configuring, upgrading and removing, as they are written."""

import os
import sys

from world import NODE, ROOT, SERVER, Failed, eventually, expect

sys.path.append(os.path.join(ROOT, "tests/docs"))
import pages  # noqa: E402  pylint: disable=wrong-import-position
import shell  # noqa: E402  pylint: disable=wrong-import-position

SCENES = []
CHECKOUT = "/srv/checkout"
EDITOR = """#!/bin/sh
for file; do
  case $file in
    *.yaml) cat /srv/settings.yaml >"$file" ;;
    *.password) cat /srv/password >"$file" ;;
    *) exit 1 ;;
  esac
done
"""
# Statements that build. What they make is there already: run.sh has run the first, tests/run.sh the others.
BUILDING = ("deploy/package.sh out", "deploy/packages.sh install build run", "cmake -S . -B build -G Ninja && cmake --build build")


def scene(function):
    """Adds a scene; they run in this order."""
    SCENES.append(function)
    return function


def begin(world, tree=""):
    """No package, no settings, an empty store without the schema; a folder that looks like the checkout, and an editor that writes what a reader would."""
    container = world.plain()
    container.must("dpkg", "--purge", "disttask")
    for database in ("disttask", "sales"):
        world.sql(f"drop database if exists {database}; create database {database}", schema=None)
    container.must("sh", "-c", f"rm -rf {CHECKOUT} && mkdir -p {CHECKOUT}/out && cd {CHECKOUT} && ln -s {ROOT}/deploy {ROOT}/config . && cp /srv/now/*.deb out/")
    if tree:
        container.must("ln", "-s", tree, f"{CHECKOUT}/build")
    container.write("/usr/local/bin/edit", EDITOR, mode="755")
    container.write("/etc/apt/apt.conf.d/yes", 'APT::Get::Assume-Yes "true";\n')
    container.write("/srv/settings.yaml", settings("root"))
    container.write("/srv/password", world.password + "\n")
    return container


def settings(user, more=""):
    """What a reader writes into the settings."""
    return f"""store: {{socket: {SERVER}, user: {user}{more}}}
http: {{listen: "127.0.0.1:0"}}
plugins: {{config: {{csv_import: {{allowed_dirs: [/srv/import]}}}}}}
connections:
  warehouse: {{socket: {SERVER}, user: root, types: [csv_import], schemas: [sales]}}
"""


def blocks(page, heading):
    """The blocks of a page for this place that stand under a heading."""
    text = open(os.path.join(ROOT, page), encoding="utf-8").read().splitlines()
    at = text.index(heading) + 1
    end = next((number for number in range(at, len(text)) if text[number].startswith("## ")), len(text))
    found = [block for block in pages.blocks_at(ROOT, page, "container") if at < block.line <= end]
    expect(f"{page} has blocks under '{heading}'", found)
    return found


def run(world, page, heading, number=None, prefix=""):
    """Runs the blocks under a heading, or one of them; returns what was said. Each command must end with 0."""
    said = ""
    for block in blocks(page, heading) if number is None else [blocks(page, heading)[number]]:
        world.ran.add((block.page, block.line))
        text = "".join(words + "\n" for _, words in shell.statements(block.text) if words.split("#")[0].strip() not in BUILDING)
        text = text.replace("mysql://admin@db.example:3306/disttask", f"mysql://root@localhost/disttask?socket={SERVER}").replace(" HOST ", f" {NODE} ")
        script = f"set -uo pipefail\ntrap 'echo \"code $?: $BASH_COMMAND\" >>/srv/failed' ERR\n{text}"
        done = world.container.run("env", "EDITOR=/usr/local/bin/edit", f"PATH={prefix}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                   "bash", "-c", f"rm -f /srv/failed; cd {CHECKOUT} && bash -c \"$0\" </dev/null; [ ! -s /srv/failed ] || {{ cat /srv/failed; exit 1; }}",
                                   script, limit=300)
        if done.returncode != 0:
            raise Failed(f"{block.where()}: {done.stdout}{done.stderr}")
        said += done.stdout + done.stderr
    return said


def ready(world, unit="disttaskd"):
    """Waits until a unit is what the documents promise."""
    world.container.wait_for(unit, ActiveState="active", StatusText=lambda text: "slots" in text)


@scene
def documents_readme(world):
    """README, Install and run: from no package to the first import."""
    container = begin(world)
    container.write("/srv/import/orders.csv", "id,name\n1,a\n2,b\n")
    world.sql("create table sales.orders (id int not null primary key, name varchar(20))", schema=None)
    run(world, "README.md", "## Install and run")
    ready(world)
    expect("it starts at the next boot", container.must("systemctl", "is-enabled", "disttaskd").strip() == "enabled")
    expect("both rows are there", world.sql("select count(*) from sales.orders", schema=None) == ["2"])


@scene
def documents_packages(world):
    """docs/install.md with packages: install, configure, a second node on the host, upgrade, remove and purge."""
    container = begin(world)
    world.sql(f"create or replace user disttask@localhost identified by '{world.password}'; grant all on disttask.* to disttask@localhost", schema=None)
    container.write("/srv/settings.yaml", settings("disttask", ", password_credential: store-password"))
    said = run(world, "docs/install.md", "## Packages")
    expect("it says what comes next", "systemctl enable --now disttaskd" in said, said)
    world.must("disttaskctl", "schema", "install", user="root", password="")
    said = run(world, "docs/install.md", "## Configure a node", 0)
    expect("status shows what the page says", " slots, 0 tasks, 0 runs" in said, said)
    container.wait_for("disttaskd", StatusText=lambda text: " slots, 0 tasks, 0 runs, store " in text)
    expect("the password is root's alone", container.must("stat", "-c", "%U %a", "/etc/disttask/store.password").strip() == "root 600")
    run(world, "docs/install.md", "## Configure a node", 1)
    ready(world, "disttaskd@b")
    eventually("both nodes are live", lambda: sorted(node["node"] for node in world.ctl("node", "ls") if node["state"] == "live") == [NODE, NODE + ":b"])
    # From the version before to this one.
    world.install("before", world.before)
    ready(world)
    run(world, "docs/install.md", "## Upgrade")
    expect("it is this version", container.must("dpkg-query", "-W", "-f", "${Version}", "disttask") == world.version)
    for unit in ("disttaskd", "disttaskd@b"):
        ready(world, unit)
    # What says it from anywhere has a tool of its own.
    container.must("dpkg-deb", "-x", f"/srv/now/{world.now}", "/opt/elsewhere")
    container.write("/opt/elsewhere/disttaskctl", f"#!/bin/sh\nDISTTASK_STORE='mysql://root@localhost/disttask?socket={SERVER}' exec /opt/elsewhere/usr/bin/disttaskctl \"$@\"\n",
                    mode="755")
    run(world, "docs/install.md", "## Remove", prefix="/opt/elsewhere:")
    for path in ("/etc/disttask/disttask.yaml", "/etc/disttask/store.password", "/var/lib/disttask", "/var/lib/disttask-b"):
        expect(f"{path} is gone", container.run("test", "-e", path).returncode != 0)
    expect("the node is forgotten", world.sql("select exec_id from disttask.disttask_node", schema=None) == [NODE + ":b"])


@scene
def documents_sources(world):
    """docs/install.md without packages: the account, the folder, the settings and the unit of `cmake --install`, below /usr/local."""
    container = begin(world, tree=world.tree())
    world.sql(f"create or replace user disttask@localhost identified by '{world.password}'; grant all on disttask.* to disttask@localhost", schema=None)
    container.must("sh", "-c", "userdel disttask; rm -rf /etc/disttask")
    try:
        run(world, "docs/install.md", "## From source")
        expect("settings that the account reads", container.must("stat", "-c", "%U:%G %a", "/etc/disttask/disttask.yaml").strip() == "root:disttask 640")
        world.must("/usr/local/bin/disttaskctl", "schema", "install", user="root", password="")
        container.write("/srv/settings.yaml", settings("disttask", ", password_credential: store-password"))
        run(world, "docs/install.md", "## Configure a node")
        for unit in ("disttaskd", "disttaskd@b"):
            ready(world, unit)
            expect("it is what was installed", container.show(unit, "FragmentPath").startswith("/usr/local/lib/systemd/system/disttaskd"))
    finally:
        container.run("sh", "-c", "systemctl disable --now disttaskd disttaskd@b; "
                      f"xargs rm -f <{CHECKOUT}/build/install_manifest.txt; rm -rf /etc/disttask /var/lib/disttask*; systemctl daemon-reload")


@scene
def documents_complete(world):
    """Each block that the documents promise to run here was run; asked of a whole run only."""
    promised = {(block.page, block.line) for page in pages.pages_of(ROOT) for block in pages.blocks_at(ROOT, page, "container")}
    if not world.arguments.scenes:
        expect("all blocks ran", promised == world.ran, str(sorted(promised ^ world.ran)))
