#!/usr/bin/env python3
"""Puts measured figures into docs/performance.md: page.py FILE.json…

Each row of a table there that begins with a figure's name gets its median, least and most in the last cell; the other rows stay.
Prints the figures that have no row, and exits 1 when there are any.
"""

import json
import re
import sys

PAGE = "docs/performance.md"


def digits(number):
    """Returns a number with as many digits as people read: three that count, none after the point from 1,000 on."""
    if abs(number) >= 1000:
        return f"{number:,.0f}"
    return f"{number:.3g}" if abs(number) < 100 else f"{number:.0f}"


def cell(figure):
    text = digits(figure["value"])
    if figure["max"] > figure["min"]:
        text += f" ({digits(figure['min'])} – {digits(figure['max'])})"
    if not figure["ok"]:
        text += ", **missed**"
    return text


def main(paths):
    if not paths:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    missing = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            figures = json.load(file)
        for figure in figures:
            row = re.compile(r"^(\| `" + re.escape(figure["figure"]) + r"` \|.*\|) [^|]* \|$", re.MULTILINE)
            page, count = row.subn(lambda match, text=cell(figure): f"{match.group(1)} {text} |", page)
            if count == 0:
                missing.append(figure["figure"])
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(page)
    for name in missing:
        print(f"{PAGE}: no row for {name}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
