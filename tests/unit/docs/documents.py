#!/usr/bin/env python3
"""Checks the documents: relative links lead somewhere, and code marked as a whole file is that file. usage: documents.py ROOT"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
documents = [p for p in root.rglob("*.md") if "build" not in p.relative_to(root).parts[0] and ".git" not in p.parts]
problems = []
for document in documents:
    text = document.read_text(encoding="utf-8")
    where = document.relative_to(root)
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in link and not (document.parent / link).exists():
            problems.append(f"{where}: the link {link} leads nowhere")
    for path, code in re.findall(r"<!-- the whole file: (\S+) -->\n```\w*\n(.*?)```", text, re.S):
        file = root / path
        if not file.exists() or file.read_text(encoding="utf-8") != code:
            problems.append(f"{where}: the code below 'the whole file: {path}' is not that file")
if not documents:
    problems.append("no documents found")
print("\n".join(problems) or f"{len(documents)} documents ok")
sys.exit(bool(problems))
