#!/usr/bin/env python3
"""Runs the blocks of one page in a small cluster on the server of DISTTASK_TEST_DSN. usage: run_page.py ROOT BUILD PAGE"""
import os
import pathlib
import sys

import pages
import scenes
import settings


SHIPPED = ("docs/csv_import.md", "docs/sql_batch.md")


def fragments_of(blocks):
    """The settings that a page shows."""
    return [found for block in blocks if block.language == "yaml" and block.kind != "checked" and isinstance(found := settings.fragment_of(block), dict)]


def main(root, build, page):
    root, build = pathlib.Path(root).resolve(), pathlib.Path(build).resolve()
    if "DISTTASK_TEST_DSN" not in os.environ:
        sys.exit("DISTTASK_TEST_DSN names no server: tests/run.sh does that")
    blocks, problems = pages.blocks_of(page, (root / page).read_text(encoding="utf-8"))
    wanted = [block for block in blocks if block.is_run()]
    if not wanted:
        print(f"{page}: no block to run")
        return bool(problems)
    fragments = fragments_of(blocks)
    if not any("connections" in fragment for fragment in fragments):  # the connections of the shipped task types, as their pages have them
        for other in SHIPPED:
            fragments += fragments_of(pages.blocks_of(other, (root / other).read_text(encoding="utf-8"))[0])
    with scenes.Scene(root, build, os.environ["DISTTASK_TEST_DSN"], fragments) as scene:
        for block in wanted:
            try:
                problem = scene.run(block)
            except scenes.SceneError as error:
                problem = f"{block.where()}: {error}"
            if problem:
                problems.append(problem)
        if problems:
            for node in scene.nodes:
                problems.append(f"--- {node.name}:\n{node.log.read_text(encoding='utf-8')[-3000:]}")
    print("\n".join(problems) or f"{page}: {len(wanted)} blocks ran")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
