"""What can be said of a block without a store: it is covered, its commands and options exist, the files that it names or quotes are there."""
import json
import os
import pathlib
import re
import subprocess
import tempfile

import pages
import settings
import shell

# Read by their own grammar. Others are pictures and output, which may hold no command.
LANGUAGES = ("sh", "yaml", "json", "ini", "cpp", "sql", "cmake")
PLAIN = ("", "text")
FOLDERS = ("deploy/", "tests/", "config/", "lib/", "docs/", ".ci/")
# Options of every command, which may stand before the subcommand.
WITH_VALUE = ("--store", "--config", "--password-file", "-o", "--output", "--color", "--time-format")
WRONG_USE = 2
# A port on which nobody listens: what gets as far as the store was understood.
NO_STORE = "mysql://nobody@127.0.0.1:1/none"


class Programs:
    """The programs of a build, asked whether they understand a command line."""

    def __init__(self, daemon, tool):
        self.paths = {"disttaskd": os.path.abspath(daemon), "disttaskctl": os.path.abspath(tool)}
        self.help = {}
        self.said = {}

    def help_of(self, *words):
        if words not in self.help:
            result = subprocess.run([self.paths[words[0]], *words[1:], "--help"], capture_output=True, text=True, check=False)
            self.help[words] = result.stdout if result.returncode == 0 else ""
        return self.help[words]

    def once(self, what, key, ask):
        """ask(), or what it gave before for the same key: pages repeat themselves, and the check of the check does."""
        if (what, key) not in self.said:
            self.said[what, key] = ask()
        return self.said[what, key]

    def subcommand(self, words):
        """The leading words that are program and subcommands."""
        known = [words[0]]
        for before, word in zip(words, words[1:]):
            if word.startswith("-") or before in WITH_VALUE:
                continue
            if not re.search(rf"^  {re.escape(word)} ", self.help_of(*known).partition("Subcommands:")[2], re.M):
                break
            known.append(word)
        return known

    def problem(self, words):
        return self.once("command", tuple(words), lambda: self._problem(words))

    def _problem(self, words):
        """What is wrong with a whole command line, by the program itself; it runs in an empty folder and has no store."""
        name, *arguments = words
        if name == "disttaskd":
            return self.problem_of_options(words)
        known = self.subcommand(words)
        if "Subcommands:" in self.help_of(*known) and not {"--help", "--version"} & set(words):
            return f"'{' '.join(known)}' wants one of its subcommands, not '{' '.join(words[1:])}'"
        with tempfile.TemporaryDirectory() as folder:
            # Files that the reader has are not here; what the meta says is not looked at.
            arguments = ["{}" if before == "--meta" else word for before, word in zip(words, arguments)]
            arguments = drop_store(arguments)
            environment = {"PATH": os.environ["PATH"], "HOME": folder, "DISTTASK_STORE": NO_STORE}
            result = subprocess.run([self.paths[name], *arguments], capture_output=True, text=True, check=False, cwd=folder, env=environment,
                                    stdin=subprocess.DEVNULL, timeout=60)
        # Without words it is what doctor says of a store that is not there. What a file of settings would say cannot be missed here.
        if result.returncode == WRONG_USE and result.stderr and not ("--config" in words and "give --config" in result.stderr):
            return f"'{' '.join(words)}' is not understood: {' '.join(result.stderr.split())}"
        return ""

    def problem_of_options(self, words):
        """Looks for each option in the help text: for lines with placeholders, which cannot be parsed as a whole."""
        known = self.subcommand(words)
        text = self.help_of(*known) + ("" if words[0] == "disttaskd" else self.help_of(words[0]))
        if not text:
            return f"there is no '{' '.join(known)}'"
        for word in words[1:]:
            option = re.match(r"-{1,2}[a-z][\w-]*", word)
            if option and not re.search(rf"(?<![\w-]){re.escape(option.group())}(?![\w-])", text):
                return f"'{' '.join(known)}' has no option {option.group()}"
        return ""


def drop_store(arguments):
    """Without --store, --config and --password-file, whose servers and files are not here."""
    kept, skip = [], False
    for word in arguments:
        if skip:
            skip = False
        elif word in ("--store", "--config", "--password-file", "--plugins-dir"):
            skip = True
        else:
            kept.append(word)
    return kept


def file_problems(root, words):
    """Names of files of the source tree that are not there, programs that cannot be run, options that a script never mentions."""
    for index, word in enumerate(words):
        path = word.lstrip("@").split("=")[-1]
        if not path.startswith(FOLDERS) or "*" in path:
            continue
        file = root / path
        if not file.exists():
            yield f"there is no {path}"
        elif index == 0 and not os.access(file, os.X_OK):
            yield f"{path} cannot be run"
        elif index == 0:
            text = file.read_text(encoding="utf-8")
            # What it hands to another script of its folder is looked for there as well.
            text += "".join(other.read_text(encoding="utf-8") for other in file.parent.glob("*.py"))
            yield from (f"{path} says nothing of {option}" for option in words[1:] if re.match(r"--\w", option) and option not in text)


def shell_problems(root, programs, block):
    problem = shell.syntax_problem(block.text)
    if problem:
        yield f"{block.where()}: {problem}"
        return
    for line, words in shell.commands(block.text):
        words = shell.without_sudo(words)
        if not words:
            continue
        if words[0] in programs.paths:
            # Variables and substitutions have no value here.
            ask = programs.problem_of_options if any("$" in word for word in words) else programs.problem
            problem = ask(words)
            if problem:
                yield f"{block.where(line)}: {problem}"
        yield from (f"{block.where(line)}: {problem}" for problem in file_problems(root, words))


def place_problems(root, programs, block):
    """A block that CI runs consists of its steps; one that a command prints is that."""
    if block.kind == "run" and block.scene() == "CI":
        steps = [line.removeprefix("step ").split() for line in (root / ".ci/run").read_text(encoding="utf-8").splitlines() if line.startswith("step ")]
        yield from (f"{block.where(line)}: '{' '.join(words)}' is no step of .ci/run" for line, words in shell.commands(block.text) if words not in steps)
    if block.printed_by():
        program, *words = block.printed_by().split()
        printed = subprocess.run([programs.paths[program], *words], capture_output=True, text=True, check=False).stdout
        if block.text != "".join(line + "\n" for line in printed.splitlines() if not line.startswith("--")):
            yield f"{block.where()}: is not what '{block.printed_by()}' prints"


def quote_problems(root, block):
    """A quoted file: the whole of it, or lines that stand in it one after the other, moved to the left by as much as they have in common."""
    file = root / block.value
    if not file.exists():
        yield f"{block.where()}: there is no {block.value}"
        return
    text = file.read_text(encoding="utf-8")
    if block.kind == "the whole file":
        if text != block.text:
            yield f"{block.where()}: is not {block.value}"
        return
    wanted = block.text.rstrip("\n").split("\n")
    lines = text.split("\n")
    for start in range(len(lines) - len(wanted) + 1):
        piece = lines[start:start + len(wanted)]
        indent = min((len(line) - len(line.lstrip()) for line in piece if line.strip()), default=0)
        if [line[indent:] for line in piece] == wanted:
            return
    yield f"{block.where()}: these lines do not stand in {block.value}"


def named_file(block):
    """(name, folder of a drop-in or empty) of an ini block, from its first line: # /etc/systemd/system/x.service or …/x.service.d/y.conf"""
    first = re.match(r"# /\S*/((?:([^/\s]+\.(?:service|timer|socket|path))\.d/)?[^/\s]+)\n", block.text)
    return (first.group(1), first.group(2) or "") if first else ("", "")


def unit_problems(programs, units, block):
    """A unit, or a drop-in of one of ours, goes through systemd-analyze together with the page's other units; its commands through the programs."""
    name, of = named_file(block)
    if not name:
        yield f"{block.where()}: the first line does not name the file: # /etc/systemd/system/NAME.service"
        return
    for line in re.findall(r"^ExecStart=((?:.*\\\n)*.*)", block.text, re.M):
        for quoted in [line, *re.findall(r"'([^']*)'", line)]:
            for _, words in shell.commands(quoted.replace("%%", "%").replace("'", " ").replace("\\\n", " ").replace("exec ", "")):
                if words[0] in programs.paths:
                    problem = programs.problem_of_options(words)
                    if problem:
                        yield f"{block.where()}: {problem}"
    yield from programs.once("unit", (block, *units.items()), lambda: list(verify_problems(programs, units, block, name, of)))


def verify_problems(programs, units, block, name, of):
    """What systemd-analyze says of the unit beside the others."""
    with tempfile.TemporaryDirectory() as folder:
        for other, text in units.items():
            path = pathlib.Path(folder, other)
            path.parent.mkdir(exist_ok=True)
            for program, real in programs.paths.items():
                text = re.sub(rf"(?<=ExecStart=)\S*/{program}\b", real, text)
            path.write_text(text, encoding="utf-8")
        unit = of or name
        if not pathlib.Path(folder, unit).exists():
            yield f"{block.where()}: {name} belongs to {unit}, which neither the page nor deploy/systemd has"
            return
        if unit.endswith(".timer") and not pathlib.Path(folder, unit.replace(".timer", ".service")).exists():
            yield f"{block.where()}: the page does not show the service of {unit}"
        result = subprocess.run(["systemd-analyze", "verify", "--man=no", f"{folder}/{unit}"], capture_output=True, text=True, check=False,
                                env=dict(os.environ, SYSTEMD_UNIT_PATH=f"{folder}:"))
        said = [line for line in result.stderr.splitlines() if unit in line or folder in line]
        if said or result.returncode != 0:
            yield f"{block.where()}: systemd-analyze verify: {' / '.join(said) or result.stderr.strip()}"


def block_problems(root, programs, units, block):
    if block.language in PLAIN:
        yield from (f"{block.where(at)}: a command in a block without a language: mark it as ```sh" for at, line in enumerate(block.text.splitlines())
                    if re.match(r"\$ |sudo |disttaskctl |disttaskd ", line))
        return
    if block.language not in LANGUAGES:
        yield f"{block.where()}: blocks of '{block.language}' have no test; known are {', '.join(LANGUAGES)}, and no language for pictures and output"
        return
    if block.kind == "checked" and not block.value:
        yield f"{block.where()}: 'checked' without a reason"
    if block.kind in ("the whole file", "part of the file"):
        yield from quote_problems(root, block)
    elif block.language in ("cpp", "cmake"):
        yield f"{block.where()}: code that quotes no file; write <!-- part of the file: PATH --> before it"
    yield from place_problems(root, programs, block)
    if block.language == "sh":
        yield from shell_problems(root, programs, block)
    elif block.language == "yaml" and block.kind != "checked":
        problem = programs.once("settings", block, lambda: settings.check(programs, block))
        if problem:
            yield problem
    elif block.language == "json":
        try:
            json.loads(block.text)
        except ValueError as wrong:
            yield f"{block.where()}: {wrong}"
    elif block.language == "ini":
        yield from unit_problems(programs, units, block)
    elif block.language == "sql" and block.kind not in ("run", "checked"):
        yield f"{block.where()}: SQL wants <!-- run: SCENE --> or <!-- checked: reason --> before it"


def span_problems(programs, page, text):
    """Commands within sentences: their subcommands and options exist."""
    for number, span in pages.spans_of(text):
        words = re.split(r"\s+", span.replace("…", " ").strip())
        words = shell.without_sudo(words)
        if len(words) > 1 and words[0] in programs.paths:
            known = programs.subcommand(words)
            if len(words) > len(known) and "Subcommands:" in programs.help_of(*known) and re.fullmatch(r"[a-z]+", words[len(known)]):
                yield f"{page}:{number}: '{' '.join(known)}' has no subcommand {words[len(known)]}"
            problem = programs.problem_of_options([word for word in words if not word.startswith("…")])
            if problem:
                yield f"{page}:{number}: {problem}"


def words_of_sources(root):
    """All sources of the programs, with texts that go on in the next line joined."""
    sources = [path for folder in ("daemon", "lib") for path in sorted((root / folder).rglob("*.[ch]pp"))]
    return re.sub(r'"\s*\n\s*"', "", "\n".join(path.read_text(encoding="utf-8") for path in sources))


def quotation_problems(sources, page, text):
    """Quoted output, in the section of failure modes: some words of each sentence are the program's own, as its sources have them."""
    for number, span in pages.spans_of(text):
        if len(span.split()) < 4 or span.split()[0] in ("disttaskctl", "disttaskd", "systemctl", "journalctl", "task", "node", "Main"):
            continue
        # Figures, names in quotes and what stands before a colon are of the moment.
        pieces = [piece.strip() for piece in re.split(r"\d[\d.]*|'[^']*'|[:;…()]|\bn[12]\b|, ", span)]
        if not any(len(piece.split()) >= 2 and piece in sources for piece in pieces):
            yield f"{page}:{number}: no program says '{span}'"


def units_of(root, blocks):
    """The units that a page may speak of: those that are shipped, and those of its own blocks."""
    units = {}
    for path in (root / "deploy" / "systemd").glob("*.service*"):
        # What cmake fills in: the folder of the program.
        units[path.name.removesuffix(".in")] = re.sub(r"@\w+@(?=/)", "/usr/bin", path.read_text(encoding="utf-8"))
    for block in blocks:
        if block.language == "ini" and named_file(block)[0]:
            units[named_file(block)[0]] = block.text
    return units


def page_problems(root, programs, page, text):
    """All that is wrong with a page, a line each."""
    quoting = re.search(r"^## Failure modes\n(.*?)^## ", text, re.M | re.S)
    if quoting:
        sources = programs.once("sources", root, lambda: words_of_sources(root))
        before = "\n" * text[:quoting.start(1)].count("\n")
        return [*quotation_problems(sources, page, before + quoting.group(1)), *block_and_span_problems(root, programs, page, text)]
    return block_and_span_problems(root, programs, page, text)


def block_and_span_problems(root, programs, page, text):
    blocks, problems = pages.blocks_of(page, text)
    units = units_of(root, blocks)
    for block in blocks:
        problems += block_problems(root, programs, units, block)
    return problems + list(span_problems(programs, page, text))
