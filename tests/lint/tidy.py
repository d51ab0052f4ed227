#!/usr/bin/env python3
"""Runs clang-tidy over the sources of lib/ and daemon/, several files of a target in one unit, since most of its time goes into their headers. Files that do not
compile together (two have a helper of the same name, say) are looked at one by one.
  tidy.py BUILD      BUILD: a configured build folder with compile_commands.json"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BATCH = 8
FINDING = re.compile(r"^\S+:\d+:\d+: (?:error|warning): ", re.MULTILINE)


def sources():
    listed = subprocess.run(["git", "ls-files", "lib/*.cpp", "daemon/*.cpp"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {str(ROOT / name) for name in listed.split()}


def batches(build):
    """Files with the same flags, in groups; each with the command that compiles its unit."""
    wanted = sources()
    by_flags = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if entry["file"] not in wanted:
            continue
        wanted.discard(entry["file"])
        flags = re.sub(r" -o \S+", "", entry["command"]).replace(" -c " + entry["file"], "")
        by_flags.setdefault((entry["directory"], flags), []).append(entry["file"])
    if wanted:
        sys.exit("tidy.py: not in the build, so not checked: " + ", ".join(sorted(wanted)))
    for (directory, flags), files in by_flags.items():
        for first in range(0, len(files), BATCH):
            yield directory, flags, files[first : first + BATCH]


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
    if not found or (len(files) > 1 and "clang-diagnostic" not in found):
        return found
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
        # Their own headers stand beside them.
        beside = "".join(f" -I{path}" for path in sorted({os.path.dirname(file) for file in files}))
        commands += [{"directory": directory, "file": file, "command": f"{flags}{beside} -c {file}"} for file in [str(unit), *files]]
    (folder / "compile_commands.json").write_text(json.dumps(commands))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda each: check(str(folder), *each), units))
    for text in results:
        print(text, end="")
    sys.exit(1 if any(results) else 0)


main()
