#!/usr/bin/env python3
"""Checks deploy/monitoring against docs: usage: check_monitoring.py ROOT
Alerts and dashboard name only metrics that docs/metrics.md lists, and codes of errors that exist; each alert has its section in docs/operations.md, and is
tested as firing and as quiet, and once for each code that it names."""
import json
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
folder = root / "deploy/monitoring"
alerts = (folder / "alerts.yaml").read_text(encoding="utf-8")
tests = (folder / "alerts.test.yaml").read_text(encoding="utf-8")
dashboard = json.loads((folder / "dashboard.json").read_text(encoding="utf-8"))
operations = (root / "docs/operations.md").read_text(encoding="utf-8")
known = set(re.findall(r"^\| `(disttask_\w+)` \|", (root / "docs/metrics.md").read_text(encoding="utf-8"), re.M))
problems = []

used = {(name, "alerts.yaml") for name in re.findall(r"\bdisttask_\w+", alerts)}
for panel in dashboard["panels"]:
    for target in panel["targets"]:
        used |= {(name, f"dashboard.json, {panel['title']}") for name in re.findall(r"\bdisttask_\w+", target["expr"])}
for name, where in sorted(used):
    if name not in known and re.sub(r"_(bucket|count|sum)$", "", name) not in known:
        problems.append(f"{where}: {name} is not in docs/metrics.md")

# Prometheus anchors its expressions: only a whole code matches.
codes = set(re.findall(r'return "(\w+)";', re.split(r"\btoString\(Reaction\b", (root / "lib/base/src/error.cpp").read_text(encoding="utf-8"))[0]))
exprs = [("alerts.yaml", alerts)] + [("dashboard.json", target["expr"]) for panel in dashboard["panels"] for target in panel["targets"]]
for where, text in exprs:
    for word in (word for words in re.findall(r'\bcode=~?"([^"]*)"', text) for word in words.split("|")):
        if word not in codes:
            problems.append(f"{where}: {word} is no code of lib/base/src/error.cpp")
        if where == "alerts.yaml" and f'code="{word}"' not in tests:
            problems.append(f"alerts.test.yaml: the code {word} is not tested")
if len(codes) < 10:
    problems.append("lib/base/src/error.cpp: no codes found")

names = re.findall(r"- alert: (\w+)", alerts)
for name in names:
    if f"\n### {name}\n" not in operations:
        problems.append(f"docs/operations.md: no section for {name}")
    if f"docs/operations.md#{name.lower()}\"" not in alerts:
        problems.append(f"alerts.yaml: {name} does not name its section")
    found = re.findall(rf"alertname: {name}\n        exp_alerts:( \[\])?\n", tests)
    if sorted(set(found)) != ["", " []"]:
        problems.append(f"alerts.test.yaml: {name} is not tested as firing and as quiet")
if not names or not used:
    problems.append("no alerts found")
print("\n".join(problems) or f"{len(names)} alerts, {len(used)} uses of metrics ok")
sys.exit(bool(problems))
