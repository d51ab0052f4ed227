#!/usr/bin/env python3
"""Runs the scripts of the source tree that a page shows, line by line as they stand there, with the least of everything: DISTTASK_SMOKE names the finished build.

usage: run_sources.py ROOT BUILD PAGE; ends with 77 when not one line could be run
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

import pages
import shell

# Of a line, in seconds; many times what one takes.
LIMIT = 600
NOT_HERE = 77


def mapped(text, folder):
    """A line with what it names as it is here: results go to a folder of their own, and there is a commit."""
    return re.sub(r"(?<=--json )(?=\w)", f"{folder}/", re.sub(r"\bREF\b", "HEAD", text))


def run(root, build, folder, text):
    """Runs a line; returns its exit code and what was said."""
    environment = dict(os.environ, DISTTASK_SMOKE=str(build), DISTTASK_BUILD_DIR=str(build.parent), TMPDIR=folder)
    process = subprocess.Popen(["bash", "-c", mapped(text, folder)], cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        said, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)  # its servers are stopped by itself
        said, _ = process.communicate()
        return 1, f"{said[-3000:]}\ndid not end within {LIMIT} s"
    return process.returncode, said


def main(root, build, page):
    root, build = pathlib.Path(root).resolve(), pathlib.Path(build).resolve()
    ran, problems = 0, []
    # Sockets have short paths.
    with tempfile.TemporaryDirectory(prefix="smoke.", dir="/tmp") as folder:
        for block in pages.blocks_at(root, page, "sources"):
            for line, text in shell.statements(block.text):
                if not text.split("#")[0].strip():
                    continue
                code, said = run(root, build, folder, text)
                if code == NOT_HERE:
                    print(f"{block.where(line)}: not run: {said.strip()}")
                elif code != 0:
                    problems.append(f"{block.where(line)}: ended with {code}: {text}\n{said[-6000:]}")
                ran += code != NOT_HERE
    print("\n".join(problems) or f"{page}: {ran} lines ran")
    return 1 if problems else 0 if ran else NOT_HERE


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
