#!/usr/bin/env python3
"""Runs clang-tidy over the sources of lib/ and daemon/, several files in one unit, since most of its time goes into their headers. Files that do not compile
together are looked at one by one.
  tidy.py BUILD      BUILD: a configured build folder with compile_commands.json"""
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BATCH = 8
FINDING = re.compile(r"^\S+:\d+:\d+: (?:error|warning): ", re.MULTILINE)


def sources():
    listed = subprocess.run(["git", "ls-files", "lib/*.cpp", "daemon/*.cpp"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {str(ROOT / name) for name in listed.split()}


def batches(build):
    """Groups of files, no two of a folder: those often have helpers of the same name. Each with flags that are good for all."""
    wanted = sources()
    folders = collections.defaultdict(list)
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if entry["file"] in wanted:
            wanted.discard(entry["file"])
            folders[os.path.dirname(entry["file"])].append(entry)
    if wanted:
        sys.exit("tidy.py: not in the build, so not checked: " + ", ".join(sorted(wanted)))
    total = sum(len(entries) for entries in folders.values())
    groups = [[] for _ in range(max(-(-total // BATCH), *(len(entries) for entries in folders.values())))]
    for entries in sorted(folders.values(), key=len, reverse=True):
        emptiest = sorted(groups, key=len)
        for group, entry in zip(emptiest, entries):
            group.append(entry)
    for group in groups:
        flags = {}
        for entry in group:
            words = shlex.split(entry["command"])
            output = words.index("-o")
            del words[output : output + 2]
            words = [word for word in words if word not in ("-c", entry["file"])]
            words.append("-I" + os.path.dirname(entry["file"]))  # their own headers stand beside them
            flags.update(dict.fromkeys(each for each in joined(words)))
        yield group[0]["directory"], [word for each in flags for word in each], [entry["file"] for entry in group]


def joined(words):
    """Options with the word that belongs to them."""
    each = iter(words)
    for word in each:
        yield (word, next(each)) if word == "-isystem" else (word,)


def tidy(folder, unit):
    run = subprocess.run(
        ["clang-tidy", "-p", folder, f"--config-file={ROOT / '.clang-tidy'}", r"--header-filter=(lib|daemon)/.*\.[ch]pp$", "--quiet", "--warnings-as-errors=*", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    failed = run.returncode != 0 or FINDING.search(run.stdout)
    return run.stdout + run.stderr if failed else ""


def check(folder, unit, files):
    found = tidy(folder, unit)
    if "clang-diagnostic" not in found:
        return found
    print(f"lint: not in one unit: {' '.join(os.path.basename(file) for file in files)}", flush=True)
    return "".join(tidy(folder, file) for file in files)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    folder = build / "tidy"
    folder.mkdir(exist_ok=True)
    commands = []
    units = []
    for number, (directory, flags, files) in enumerate(batches(build)):
        unit = folder / f"{number}.cpp"
        unit.write_text("".join(f'#include "{file}"  // NOLINT\n' for file in files))
        units.append((str(unit), files))
        commands += [{"directory": directory, "file": file, "arguments": [*flags, "-c", file]} for file in [str(unit), *files]]
    (folder / "compile_commands.json").write_text(json.dumps(commands))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda each: check(str(folder), *each), units))
    for text in results:
        print(text, end="")
    sys.exit(1 if any(results) else 0)


main()
