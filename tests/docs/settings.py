"""Makes settings of a daemon out of the fragments that a page shows."""
import copy
import pathlib
import re
import subprocess
import tempfile

import yaml

# Sections of a daemon's settings; a fragment with other keys is no fragment of them.
SECTIONS = {"node", "store", "polling", "scheduler", "plugins", "connections", "log", "http"}
BASE = {"store": {"endpoints": ["db.example:3306"], "user": "disttask", "password_file": "/etc/disttask/store.password",
                  "tls": {"mode": "verify", "ca": "/etc/disttask/ca.pem"}}}


def merged(into, fragment):
    """A copy of `into` with what the fragment says."""
    result = copy.deepcopy(into)
    for key, value in fragment.items():
        result[key] = merged(result[key], value) if isinstance(value, dict) and isinstance(result.get(key), dict) else copy.deepcopy(value)
    return result


def fragment_of(block):
    """The settings of a yaml block, or a sentence about what is wrong with it."""
    try:
        found = yaml.safe_load(block.text)
    except yaml.YAMLError as wrong:
        return f"{block.where()}: {' '.join(str(wrong).split())}"
    if not isinstance(found, dict) or not set(found) <= SECTIONS:
        return f"{block.where()}: is no fragment of a daemon's settings ({', '.join(sorted(SECTIONS))}); write <!-- checked: reason --> before it"
    return found


def files_of(folder, tree):
    """Makes the files and folders that settings name below folder: passwords that not everybody reads, certificates, folders."""
    for key, value in tree.items():
        if isinstance(value, dict):
            files_of(folder, value)
        elif key in ("password_file", "ca", "cert", "key") and str(value).startswith(str(folder)):
            path = pathlib.Path(value)
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text("password of a document\n", encoding="ascii")
                path.chmod(0o640)
        elif key.endswith("dirs") and isinstance(value, list):
            for name in value:
                if str(name).startswith(str(folder)):
                    pathlib.Path(name).mkdir(parents=True, exist_ok=True)


def moved(text, folder):
    """Absolute paths of the documents, below folder."""
    return re.sub(r"(?<![\w.:/-])/(etc/disttask|srv|var/lib|usr/local/lib/disttask)\b", rf"{folder}/\1", text)


def write(path, tree):
    path.write_text(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def check(programs, block):
    """Empty when the daemon takes the fragment together with the least that a node needs."""
    found = fragment_of(block)
    if isinstance(found, str):
        return found
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        tree = yaml.safe_load(moved(yaml.safe_dump(merged(BASE, found)), folder))
        files_of(folder, tree)
        path = write(folder / "settings.yaml", tree)
        result = subprocess.run([programs.paths["disttaskd"], "--config", str(path), "--check-config"], capture_output=True, text=True, check=False)
    return "" if result.returncode == 0 else f"{block.where()}: {' / '.join(result.stderr.split(chr(10))[:-1])}"
