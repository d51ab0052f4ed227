#!/usr/bin/env python3
"""Writes a CSV file of N records with a unique id, made from the IEEE registry; without that, from texts of the same kind.

csv_data.py N FILE
"""
import csv
import os
import sys

REGISTRY = "/usr/share/ieee-data/oui.csv"


def texts():
    if os.path.exists(REGISTRY):
        with open(REGISTRY, encoding="utf-8", newline="") as file:
            return list(csv.reader(file))[1:]
    return [
        ["MA-L", f"{i * 2654435761 % 0xFFFFFF:06X}", f"Company {i * 7919 % 20011}, Ltd.", f"{i} Main Street\nCity {i % 977} XX {i % 99999:05}"]
        for i in range(32530)
    ]


def main():
    count, path = int(sys.argv[1]), sys.argv[2]
    source = texts()
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "registry", "assignment", "organization", "address"])
        for i in range(count):
            writer.writerow([i + 1, *source[i % len(source)]])


if __name__ == "__main__":
    main()
