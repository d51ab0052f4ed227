#!/usr/bin/env python3
"""Checks the blocks and commands of all documents without a store, then that the check itself notices mistakes. usage: check_static.py ROOT DISTTASKD DISTTASKCTL"""
import pathlib
import subprocess
import sys

import pages
import static

GOOD = """Text.

```sh
disttaskctl task ls --active | head -n 3        # what goes on
sudo -u disttask disttaskd --check-config
tests/run.sh -L unit
```

## Failure modes

The log says `the lease is renewed again`, STATUS `no confirmed lease renewal for 6 s`.

## More

Then `disttaskctl node drain NODE --wait` and `disttaskd --config FILE`.

<!-- run: CI -->
```sh
tests/lint/run.sh
```

<!-- run: plain; prints disttaskctl grants print --schema mysql --role reader --user r -->
```sql
@GRANTS@```

```json
{"a": 1}
```

```yaml
node:
  slots: 4
connections:
  shop:
    endpoint: db.example:3306
    user: batch
    password_file: /etc/disttask/shop.password
    tls: {mode: verify, ca: /etc/disttask/ca.pem}
    types: [sql_batch]
    schemas: [shop]
```

<!-- part of the file: docs/examples/hello_plugin/CMakeLists.txt -->
```cmake
disttask_add_plugin(NAME hello SOURCES hello_plugin.cpp)
```

```ini
# /etc/systemd/system/nightly.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'exec disttaskctl task submit --type csv_import --wait'
```
"""

MISTAKES = {
    "an unknown subcommand": ("task ls --active", "task lst"),
    "an unknown option": ("--active", "--activ"),
    "an option without its value": ("task ls --active", "task wait x --timeout"),
    "an unknown option of the daemon": ("--check-config", "--check-configs"),
    "an open quote": ("| head -n 3", "| head -n '3"),
    "a script that is not there": ("tests/run.sh", "tests/runs.sh"),
    "an option that a script does not know": ("-L unit", "--lable unit"),
    "a subcommand in a sentence": ("node drain NODE", "node drian NODE"),
    "an option in a sentence": ("--wait` and", "--wiat` and"),
    "a step that CI does not have": ("<!-- run: CI -->\n```sh\ntests/lint/run.sh", "<!-- run: CI -->\n```sh\ntests/fuzz/run.sh"),
    "text that is not what a command prints": ("--role reader", "--role operator"),
    "broken JSON": ('{"a": 1}', '{"a": 1'),
    "an unknown key of the settings": ("slots: 4", "slot: 4"),
    "a value that settings do not take": ("mode: verify", "mode: maybe"),
    "a connection that lacks something": ("    types: [sql_batch]\n", ""),
    "a yaml block that is no settings": ("node:\n  slots: 4", "groups: []"),
    "output that no program makes": ("the lease is renewed again", "the lease was renewed again"),
    "a changed quotation": ("NAME hello", "NAME hallo"),
    "code that quotes nothing": ("<!-- part of the file: docs/examples/hello_plugin/CMakeLists.txt -->\n", ""),
    "a language without a test": ("```json", "```ruby"),
    "a command in a picture": ("```json\n{", "```\n$ ls\n{"),
    "a unit without a name": ("# /etc/systemd/system/nightly.service\n", ""),
    "a unit's unknown setting": ("Type=oneshot", "Type=oneshoot"),
    "a unit's unknown option": ("--type csv_import --wait", "--type csv_import --wate"),
    "a block without an end": ("--wait'\n```\n", "--wait'\n"),
    "a reason that is empty": ("```json", "<!-- checked: -->\n```json"),
}


def check_itself(root, programs):
    """Returns what the check says of a good page, and which mistakes in it would go unnoticed."""
    grants = subprocess.run([programs.paths["disttaskctl"], *"grants print --schema mysql --role reader --user r".split()], capture_output=True, text=True, check=True).stdout
    page = GOOD.replace("@GRANTS@", "".join(line + "\n" for line in grants.splitlines() if not line.startswith("--")))
    problems = [f"the check itself finds fault with a good page: {problem}" for problem in static.page_problems(root, programs, "good.md", page)]
    for mistake, (good, bad) in MISTAKES.items():
        assert good in page, mistake
        if not static.page_problems(root, programs, "bad.md", page.replace(good, bad, 1)):
            problems.append(f"the check itself does not notice {mistake}")
    return problems


def main(root, daemon, tool):
    root = pathlib.Path(root)
    programs = static.Programs(daemon, tool)
    problems = check_itself(root, programs)
    names = pages.pages_of(root)
    for page in names:
        problems += static.page_problems(root, programs, page, (root / page).read_text(encoding="utf-8"))
    print("\n".join(problems) or f"{len(names)} pages ok")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
