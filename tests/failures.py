#!/usr/bin/env python3
"""Says again at the end of a long run what failed: name and last words of each failed test of a JUnit file of ctest. usage: failures.py FILE"""
import sys
import xml.etree.ElementTree

LINES = 50
LINE = 400


def last_words(text):
    lines = [line if len(line) <= LINE else line[:LINE] + " …" for line in text.rstrip().splitlines()]
    return lines if len(lines) <= LINES else [f"[{len(lines) - LINES} lines before]", *lines[-LINES:]]


def main(path):
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        if case.get("status") == "fail":
            print(f"\n--- failed: {case.get('name')}")
            print("\n".join(last_words(case.findtext("system-out") or "")))


if __name__ == "__main__":
    main(*sys.argv[1:])
