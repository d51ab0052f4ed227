#!/usr/bin/env python3
"""Checks rules about the sources that no compiler checks.

usage: check_sources.py [--root DIR] [--header-sets FILE]

Third-party headers and certain calls are allowed in their home only, SQL texts stand in one place under a name each, test names are such
that they can be run by name, files stay small, and (with --header-sets: the list of all headers that the build's header sets hold, one path
a line) every public header belongs to a component.
Prints one line for each finding and exits 1 when there is one.
"""

import argparse
import os
import re
import sys

FOLDERS = ["daemon", "lib", "docs", "tests"]
SUFFIXES = (".cpp", ".hpp", ".c", ".h")
MAX_LINES = 600

# Header (as written in an #include) and the folders that may use it.
THIRD_PARTY = [
    (r"boost/asio", ["lib/runtime/src/", "lib/http/src/", "tests/fuzz/http.cpp"]),
    (r"boost/beast", ["lib/http/src/", "tests/fuzz/http.cpp"]),
    (r"prometheus/", ["lib/observability/src/"]),
    (r"(cppconn/|mysql_driver\.h|mysql_connection\.h|mysql\.h|mysql/|mariadb/)", ["lib/sqlclient/src/"]),
    (r"yaml-cpp/", ["lib/settings/src/"]),
    (r"nlohmann/", ["lib/base/src/"]),
    (r"CLI/", ["daemon/"]),
    (r"dlfcn\.h", ["lib/plugin/loader/src/", "lib/sqlclient/src/local_feed.cpp", "tests/"]),
    (r"spdlog/", ["lib/observability/src/"]),
    (r"systemd/", ["daemon/"]),
    (r"csv\.h", ["lib/plugins/"]),
    (r"benchmark/", ["tests/"]),
    (r"catch2/", ["tests/"]),
]

# Code (comments and literals taken out), what to do instead, and the places that may use it.
BANNED = [
    (r"\bstd::thread\b(?!::id)", "threads are made by runtime::ThreadGroup", ["lib/runtime/src/thread_group.cpp", "tests/"]),
    (r"\bstd::jthread\b", "threads are made by runtime::ThreadGroup", ["tests/"]),
    (r"\bpthread_create\b", "threads are made by runtime::ThreadGroup", ["tests/plugin_fixtures/"]),
    (r"\bstd::async\b", "work is owned: use runtime::Pool", []),
    (r"\.\s*detach\s*\(", "every thread is joined", []),
    (r"\bsleep_(for|until)\b|\b(usleep|nanosleep)\s*\(|(?<!\w)::sleep\s*\(", "waits are interruptible: runtime::Wakeup (tests: eventually)",
     ["tests/plugin_fixtures/"]),
    (r"\bsystem_clock::now\b", "time is a runtime::Clock, and times of rows are the store's", []),
    (r"\bget_driver_instance\b|\bget_mysql_driver_instance\b", "the driver is made once, in lib/sqlclient", ["lib/sqlclient/src/"]),
    (r"\bdlopen\b|\bdlclose\b", "libraries are loaded by lib/plugin/loader", ["lib/plugin/loader/src/", "tests/"]),
    (r"\b(secure_)?getenv\b", "the environment is read by the programs", ["daemon/", "lib/base/src/failpoint.cpp", "tests/"]),
    (r"(?<![\w.>:])(std::|::)?exit\s*\(", "only main ends a program, by returning", ["daemon/", "tests/"]),
]

# Statement texts that name a table.
SQL = re.compile(
    r"\b(select\b.*\bfrom\s+[\w`.]|insert\s+(ignore\s+)?into\s|replace\s+into\s|update\s+[\w`.]+\s+set\s|delete\s+from\s|"
    r"(create|alter|drop|truncate)\s+table\s)",
    re.IGNORECASE | re.DOTALL,
)
# schema_sql.cpp makes the DDL texts from the table definitions.
SQL_HOMES = ["lib/storage/mysql/src/statements/", "lib/storage/mysql/src/schema_sql.cpp", "lib/plugins/", "tests/", "docs/"]

# Each name is one object of the program: two of a name in two headers would be one of them, whichever the linker takes.
STATEMENT_FOLDER = "lib/storage/mysql/src/statements/"
STATEMENT = re.compile(r"\binline\s+constexpr\s+[\w:]*Sql\s+(\w+)")

# The start of a test case, up to its name: a fixture or nothing may stand before it. With a macro of their own the names are not seen.
TEST_CASE = re.compile(r"\b(?:TEMPLATE_\w*)?(?:TEST_CASE|SCENARIO)\w*\s*\(\s*(?:[A-Za-z_][\w:<>, ]*,\s*)?$")

TOKEN = re.compile(
    r'(?P<raw>R"(?P<mark>[^\s()\\]{0,16})\((?P<rawtext>.*?)\)(?P=mark)")'
    r'|(?P<string>"(?:\\.|[^"\\\n])*")'
    r"|(?P<char>(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+')"
    r"|(?P<comment>//[^\n]*|/\*.*?\*/)",
    re.DOTALL,
)


def split(text):
    """Returns the code with comments and literals blanked (line breaks kept), and the literals as (line, text), those that stand side by
    side joined, as the compiler joins them."""
    code = []
    literals = []
    end_of_last = None
    at = 0
    for match in TOKEN.finditer(text):
        between = text[at : match.start()]
        code.append(between)
        at = match.end()
        piece = match.group(0)
        code.append('""' if match.group("string") or match.group("raw") else " ")
        code.append("\n" * piece.count("\n"))
        if match.group("comment") or match.group("char"):
            if match.group("char") or between.strip():
                end_of_last = None
            continue
        content = match.group("rawtext") if match.group("raw") else piece[1:-1]
        if end_of_last is not None and not between.strip():
            literals[-1] = (literals[-1][0], literals[-1][1] + content)
        else:
            literals.append((text.count("\n", 0, match.start()) + 1, content))
        end_of_last = at
    code.append(text[at:])
    return "".join(code), literals


def test_names(text):
    """Yields (line, name) for each test case, the name's pieces joined."""
    line = name = None
    end_of_last = 0
    for match in TOKEN.finditer(text):
        if match.group("comment"):
            continue
        between = re.sub(TOKEN, " ", text[end_of_last : match.start()])
        end_of_last = match.end()
        if match.group("string") is None or (name is not None and between.strip()):
            if name is not None:
                yield line, name
            name = None
        if match.group("string") is None:
            continue
        if name is not None:
            name += match.group(0)[1:-1]
        elif TEST_CASE.search(between):
            line, name = text.count("\n", 0, match.start()) + 1, match.group(0)[1:-1]
    if name is not None:
        yield line, name


def allowed(path, homes):
    return any(path == home or (home.endswith("/") and path.startswith(home)) for home in homes)


def check_file(path, text):
    """Yields (line, finding) for one file; path is relative to the root."""
    num_lines = text.count("\n")
    if num_lines > MAX_LINES:
        yield num_lines, f"{num_lines} lines; expected at most {MAX_LINES}: one idea a file"
    if path.endswith(".hpp") and "#pragma once" not in text:
        yield 1, "expected #pragma once"
    code, literals = split(text)
    for number, line in enumerate(text.split("\n"), 1):
        include = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
        if not include:
            continue
        for header, homes in THIRD_PARTY:
            if re.match(header, include.group(1)) and not allowed(path, homes):
                yield number, f"<{include.group(1)}> is used in {' and '.join(homes)} only"
    for number, line in enumerate(code.split("\n"), 1):
        if line.lstrip().startswith("#"):
            continue
        for call, instead, homes in BANNED:
            found = re.search(call, line)
            if found and not allowed(path, homes):
                yield number, f"'{found.group(0).strip()}' is not used here: {instead}"
    if path.startswith("tests/"):
        for number, name in test_names(text):
            if ";" in name or name.startswith("-"):
                yield number, "test name contains ';' or begins with '-': it would be cut, or taken for an option, and no test run"
    if not allowed(path, SQL_HOMES):
        for number, literal in literals:
            if SQL.search(literal):
                yield number, "an SQL text outside lib/storage/mysql/src/statements"


def source_files(root):
    for folder in FOLDERS:
        for place, folders, names in os.walk(os.path.join(root, folder)):
            folders.sort()
            for name in sorted(names):
                if name.endswith(SUFFIXES):
                    yield os.path.relpath(os.path.join(place, name), root)


def check_header_sets(root, list_path):
    """Yields (path, finding) for public headers that no target's header set holds."""
    with open(list_path, encoding="utf-8") as file:
        held = {os.path.realpath(line.strip()) for line in file if line.strip()}
    for path in source_files(root):
        if re.match(r"lib/.*/include/.*\.(hpp|h)$", path) and os.path.realpath(os.path.join(root, path)) not in held:
            yield path, "a public header in no target's header set: see disttask_component()"


def check_statements(texts):
    """Yields (path, line, finding) for statements whose name is there already; texts maps the paths of headers to what they hold."""
    first = {}
    for path, text in texts.items():
        code, _ = split(text)
        for match in STATEMENT.finditer(code):
            name = match.group(1)
            if name in first:
                yield path, code.count("\n", 0, match.start()) + 1, f"statement {name} is defined in {first[name]} too: one of both would be lost"
            else:
                first[name] = path


def check(root, header_sets=None):
    """Returns all findings as lines of text."""
    findings = []
    statements = {}
    for path in source_files(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = file.read()
        findings += [f"{path}:{line}: {finding}" for line, finding in check_file(path, text)]
        if path.startswith(STATEMENT_FOLDER) and path.endswith(".hpp"):
            statements[path] = text
    findings += [f"{path}:{line}: {finding}" for path, line, finding in check_statements(statements)]
    if header_sets:
        findings += [f"{path}:1: {finding}" for path, finding in check_header_sets(root, header_sets)]
    return findings


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    parser.add_argument("--header-sets")
    arguments = parser.parse_args()
    findings = check(os.path.abspath(arguments.root), arguments.header_sets)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
