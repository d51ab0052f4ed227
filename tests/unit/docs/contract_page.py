#!/usr/bin/env python3
"""Checks docs/contract.md: each behaviour of the contract is there once, has a test or a reason, and each test that it names exists.

usage: contract_page.py ROOT
"""
import pathlib
import re
import sys

from test_names import names_of_tests

LAST = 185


def problems_of(page, names):
    """Returns what is wrong with the page, a line each."""
    problems, seen = [], set()
    for line in page.splitlines():
        if not re.match(r"\|\s*\d", line):
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) != 4 or not cells[0].isdigit():
            problems.append(f"a row is not 'number | behaviour | tests | reason': {line[:60]}")
            continue
        number, behaviour, tests, reason = int(cells[0]), cells[1], cells[2], cells[3]
        if number in seen:
            problems.append(f"{number}: is there twice")
        seen.add(number)
        if not behaviour:
            problems.append(f"{number}: does not say what the behaviour is")
        named = re.findall(r"`([^`]+)`", tests)
        rest = re.sub(r"`[^`]+`|<br>|\s", "", tests)
        if rest:
            problems.append(f"{number}: the tests' column has something else than names in back-quotes: {rest}")
        for name in named:
            if name not in names:
                problems.append(f"{number}: no test case is called '{name}'")
        if not named and not reason:
            problems.append(f"{number}: has neither a test nor a reason")
    for number in range(1, LAST + 1):
        if number not in seen:
            problems.append(f"{number}: is missing")
    problems += [f"{number}: is no behaviour of the contract" for number in sorted(seen) if not 1 <= number <= LAST]
    return problems


def check_itself(page, names):
    """Returns which kinds of mistakes in a good page would not be noticed."""
    missed = []
    row = next(line for line in page.splitlines() if re.match(r"\|\s*1\s*\|", line))
    name = re.search(r"`([^`]+)`", row).group(1)
    bad = {
        "a misspelt test": page.replace(f"`{name}`", f"`{name}x`", 1),
        "a shortened test": page.replace(f"`{name}`", f"`{name[:-1]}`", 1),
        "a missing row": page.replace(row + "\n", "", 1),
        "a row twice": page.replace(row, row + "\n" + row, 1),
        "a row without test and reason": page.replace(row, "| 1 | something | | |", 1),
    }
    for mistake, text in bad.items():
        if not problems_of(text, names):
            missed.append(f"the check itself does not notice {mistake}")
    return missed


def main():
    root = pathlib.Path(sys.argv[1])
    page = (root / "docs" / "contract.md").read_text(encoding="utf-8")
    names = names_of_tests(root)
    problems = problems_of(page, names) or check_itself(page, names)
    print("\n".join(problems) or f"{LAST} behaviours ok, {len(names)} test cases known")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
