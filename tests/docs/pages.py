"""Reads the fenced blocks of the documents, and what the comment before each says about it. As a program, pages.py ROOT [PLACE] names the pages with blocks to run there.

A comment on the line before a block says how the block is tested:

  <!-- run: orders -->               run in the scene of that name (scenes.py); a sh block without a comment is run in the plain scene
  <!-- run: orders; codes 0 6 -->    the same, and commands may end with these codes
  <!-- run: orders; prints COMMAND -->   the same, and the block is what this command prints
  <!-- run: container -->            run under a real systemd, with the packages: tests/service, scene `documents`
  <!-- run: sources -->              scripts of the source tree, run with the least that shows they work (run_sources.py)
  <!-- run: CI -->                   each command is a step of .ci/run
  <!-- checked: opens a shell -->    not run, for this reason: syntax, subcommands, options and named files are checked
  <!-- the whole file: PATH -->      is that file
  <!-- part of the file: PATH -->    its lines stand in that file, one after the other
"""
import dataclasses
import pathlib
import re
import sys

FENCE = re.compile(r"^( *)```(\w*)\s*$")
# Of blocks that no cluster runs.
PLACES = ("container", "sources", "CI")
COMMENT = re.compile(r"^ *<!-- (run|checked|the whole file|part of the file): *(.*?) *-->$")


@dataclasses.dataclass(frozen=True)
class Block:
    page: str
    line: int  # of its first line of text, from 1
    language: str
    text: str
    kind: str  # run, checked, the whole file, part of the file; empty = no comment
    value: str

    def where(self, line=0):
        return f"{self.page}:{self.line + line}"

    def is_run(self):
        """True if it runs in a scene of the cluster; fragments of settings and units have tests of their own."""
        return (self.language == "sh" and self.kind in ("", "run") or self.language == "sql" and self.kind == "run") and self.scene() not in PLACES

    def scene(self):
        return self.value.split(";")[0].strip() or "plain" if self.kind == "run" else "plain"

    def codes(self):
        """Exit codes that commands of the block may have."""
        found = re.search(r";\s*codes((?: \d+)+)\s*$", self.value) if self.kind == "run" else None
        return {int(code) for code in found.group(1).split()} if found else {0}

    def printed_by(self):
        """The command whose output it is; empty when none is named."""
        found = re.search(r";\s*prints (.+)$", self.value) if self.kind == "run" else None
        return found.group(1) if found else ""


def pages_of(root):
    """Names of all documents with commands for people: the two of the top level, and docs/."""
    root = pathlib.Path(root)
    found = [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").rglob("*.md"))]
    return [str(path.relative_to(root)) for path in found if path.exists()]


def blocks_of(page, text):
    """Returns the blocks of a page and what is wrong with its fences."""
    blocks, problems = [], []
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        fence = FENCE.match(lines[at])
        if not fence:
            if lines[at].lstrip().startswith("```"):
                problems.append(f"{page}:{at + 1}: the fence '{lines[at].strip()}' is not ``` and a language")
            at += 1
            continue
        end = next((i for i in range(at + 1, len(lines)) if lines[i].strip() == "```"), None)
        if end is None:
            return blocks, [*problems, f"{page}:{at + 1}: the block has no end"]
        comment = COMMENT.match(lines[at - 1]) if at else None
        kind, value = comment.groups() if comment else ("", "")
        indent = len(fence.group(1))
        blocks.append(Block(page, at + 2, fence.group(2), "".join(line[indent:] + "\n" for line in lines[at + 1:end]), kind, value))
        at = end + 1
    return blocks, problems


def spans_of(text):
    """Yields (line number, text) of each piece of code within sentences: what stands in single back quotes outside of blocks."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            inside = not inside
        elif not inside:
            for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", line):
                yield number, span


def blocks_at(root, page, place):
    """The blocks of a page that are run at one of PLACES."""
    return [block for block in blocks_of(page, pathlib.Path(root, page).read_text(encoding="utf-8"))[0] if block.kind == "run" and block.scene() == place]


def main(root, place="cluster"):
    for name in pages_of(root):
        blocks = blocks_of(name, pathlib.Path(root, name).read_text(encoding="utf-8"))[0]
        if any(block.is_run() for block in blocks) if place == "cluster" else blocks_at(root, name, place):
            print(name)


if __name__ == "__main__":
    main(*sys.argv[1:])
