#!/usr/bin/env python3
"""Checks the tables of a page against the tests that they name.

usage: test_names.py [--tested] ROOT PAGE HEADING=NUMBERS…

Below each heading (## or ###) that begins with HEADING stands a table whose first column is a number; NUMBERS, such as 1-18,26, must all be there. The last
column names tests, each in back quotes: each must exist under ROOT/tests, exactly. A row without a test needs a reason in words there; with --tested, a test.
"""
import pathlib
import re
import sys

CASE = re.compile(r'\b(?:TEST_CASE|TEST_CASE_METHOD|TEMPLATE_TEST_CASE|SCENARIO)\(\s*(?:\w+,\s*)?((?:"(?:[^"\\]|\\.)*"\s*)+)')
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


def names_of_tests(root):
    """All names of Catch2 cases and of ctest's own tests."""
    names = set()
    for path in (root / "tests").rglob("*.cpp"):
        for match in CASE.finditer(path.read_text(encoding="utf-8")):
            names.add("".join(TEXT.findall(match.group(1))).replace('\\"', '"'))
    for path in (root / "tests").rglob("CMakeLists.txt"):
        names.update(re.findall(r'add_test\(NAME "([^"]+)"', path.read_text(encoding="utf-8")))
    return names


def numbers_of(text):
    numbers = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def rows_below(lines, heading):
    """Yields (line number, number, last cell) of the tables below a heading, up to the next one of its level."""
    level = 0
    for at, line in enumerate(lines, 1):
        title = re.match(r"(##+) (.*)", line)
        if title and title.group(2).startswith(heading):
            level = len(title.group(1))
        elif title and level and len(title.group(1)) <= level:
            return
        elif level and (cells := re.match(r"\| *(\d+) *\|(.*)\|\s*$", line)):
            yield at, int(cells.group(1)), cells.group(2).rsplit("|", 1)[-1].strip()


def main(arguments):
    tested = arguments[:1] == ["--tested"]
    root, page, *wanted = arguments[1:] if tested else arguments
    root = pathlib.Path(root)
    lines = (root / page).read_text(encoding="utf-8").splitlines()
    known = names_of_tests(root)
    problems = []
    count = 0
    for part in wanted:
        heading, _, numbers = part.rpartition("=")
        seen = set()
        for at, number, cell in rows_below(lines, heading):
            seen.add(number)
            names = re.findall(r"`([^`]+)`", cell)
            problems += [f"{page}:{at}: no test has the name '{name}'" for name in names if name not in known]
            if not cell or (tested and not names):
                problems.append(f"{page}:{at}: row {number} names no test")
            count += len(names)
        problems += [f"{page}: '{heading}' has no row {number}" for number in sorted(numbers_of(numbers) - seen)]
        problems += [f"{page}: '{heading}' has a row {number} that is not asked for" for number in sorted(seen - numbers_of(numbers))]
    print("\n".join(problems) or f"{page}: {count} names of tests ok")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
