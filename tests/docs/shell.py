"""Takes the commands out of a block of shell: words of each simple command, with the number of its line."""
import shlex
import subprocess

OPERATORS = ("&&", "||", ";", "|", "&", "(", ")", "{", "}")


def syntax_problem(text):
    """What bash has against the text, empty when nothing."""
    result = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    return result.stderr.strip().splitlines()[0] if result.returncode else ""


def statements(text):
    """Yields (line, text) of each statement: lines that belong together by a quote or a backslash are one. Comments are dropped by the lexer."""
    start, kept = 0, []
    for number, line in enumerate(text.splitlines()):
        if not kept:
            start = number
        kept.append(line)
        whole = "\n".join(kept)
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            continue
        try:
            shlex.split(whole, comments=True)
        except ValueError:
            continue  # a quote is open
        yield start, whole
        kept = []
    if kept:
        yield start, "\n".join(kept)


def commands(text):
    """Yields (line, words) of each simple command of the block; redirections and assignments before it are left out."""
    for line, statement in statements(text):
        lexer = shlex.shlex(statement.replace("\\\n", " "), posix=True, punctuation_chars="();<>|&")
        lexer.whitespace_split = True
        lexer.commenters = "#"
        words, skip = [], False
        for word in [*lexer, ";"]:
            if word in OPERATORS or set(word) <= set("();|&"):
                if words:
                    yield line, words
                words, skip = [], False
            elif skip:
                skip = False
            elif set(word) <= set("<>&"):
                skip = True
                if words and words[-1].isdigit():
                    words.pop()
            elif words or "=" not in word or not word.split("=")[0].isidentifier():
                words.append(word)


def without_sudo(words):
    """The command that sudo is asked to run, or the command itself."""
    if words[:1] != ["sudo"]:
        return words
    at = 1
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in ("-u", "-g") else 1
    return words[at:]
