#!/usr/bin/env python3
"""Reads docs/dxf-map.md: fails when a name of DXF's package is missing, and writes a source that compiles only if each of our names exists.

usage: dxf_map.py MAP.md NAMES.txt OUTPUT.cpp
"""
import re
import sys


def rows(path):
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 4 and cells[0] not in ("DXF", "---"):
            yield number, cells


def main(map_path, names_path, output_path):
    wanted = {line.strip() for line in open(names_path, encoding="utf-8") if line.strip() and not line.startswith("#")}
    problems, checks, seen = [], [], set()
    for number, (dxf, ours, kind, _) in rows(map_path):
        seen.add(dxf)
        name = re.fullmatch(r"`([\w:]+)`", ours)
        if not name:
            problems.append(f"{map_path}:{number}: '{ours}' is not one qualified name in back quotes")
            continue
        name = name.group(1)
        if kind == "type":
            checks.append(f"static_assert(sizeof(std::add_pointer_t<{name}>) > 0);")
        elif kind in ("method", "field"):
            checks.append(f"static_assert(std::is_member_pointer_v<decltype(&{name})>);")
        elif kind == "function":
            checks.append(f"static_assert(std::is_function_v<std::remove_pointer_t<decltype(&{name})>>);")
        else:
            problems.append(f"{map_path}:{number}: kind '{kind}', expected type, function, method or field")
    problems += [f"{map_path}: '{name}' of DXF's package is missing" for name in sorted(wanted - seen)]
    if problems:
        sys.exit("\n".join(problems))
    includes = ["executor/base_task_executor", "executor/errors", "executor/manager", "executor/registry", "executor/settings",
                "plugin/step_executor", "plugin/task_type", "proto/subtask", "proto/task", "runtime/pool", "storage/task_table"]
    with open(output_path, "w", encoding="utf-8") as out:
        out.write("// Made from docs/dxf-map.md.\n#include <type_traits>\n")
        out.writelines(f'#include "disttask/{name}.hpp"\n' for name in includes)
        out.write("\n".join(checks) + "\n")
        out.write(f"#include <catch2/catch.hpp>\nTEST_CASE(\"each name of DXF's package is mapped to a name that exists\") "
                  f"{{ REQUIRE({len(checks)} >= {len(wanted)}); }}\n")


main(*sys.argv[1:])
