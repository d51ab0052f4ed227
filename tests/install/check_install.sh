#!/usr/bin/env bash
# Installs the build into a folder, looks at what an operator and a plugin author find there, and builds the first plugin of the guide against it.
#   check_install.sh BUILD SOURCE
set -euo pipefail
build=$1
source=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/disttask-install.XXXXXX")
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
cmake --install "$build" --prefix "$prefix" >"$work/install.log" || { cat "$work/install.log"; exit 1; }

expect() {
  local found
  found=$(find "$prefix" -path "*/$1" -print -quit)
  [ -n "$found" ] || { echo "the installed tree has no $1"; (cd "$prefix" && find . -type f | sort | head -n 200); exit 1; }
}
for file in bin/disttaskd bin/disttaskctl include/disttask_plugin.h include/disttask_plugin.hpp include/disttask/executor/manager.hpp \
  cmake/disttask/disttaskConfig.cmake disttask/plugins/csv_import.so disttask/plugins/sql_batch.so disttask/examples/example.so disttaskd.service disttask.yaml libdisttask_executor.a; do
  expect "$file"
done
# The example plugin ends its process when a task asks it to: no node loads it by default.
[ -z "$(find "$prefix" -path '*/disttask/plugins/example.so')" ] || { echo "the example plugin is installed where nodes load plugins from"; exit 1; }

"$prefix/bin/disttaskd" --version
"$prefix/bin/disttaskctl" --version
cmake -S "$source/docs/examples/hello_plugin" -B "$work/hello" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >"$work/hello.log" 2>&1 || { cat "$work/hello.log"; exit 1; }
cmake --build "$work/hello" >"$work/hello.log" 2>&1 || { cat "$work/hello.log"; exit 1; }
plugin=$(find "$work/hello" -name '*.so' -print -quit)
chmod 755 "$plugin"
! grep -qi 'fmt\|boost\|spdlog\|yaml' "$work/hello/CMakeCache.txt" || { echo "a plugin alone asks for the library's dependencies"; exit 1; }
"$prefix/bin/disttaskctl" plugin check "$plugin"
completion=$prefix/share/bash-completion/completions/disttaskctl
# What bash offers for the last word of a line, in the order of the alphabet.
offers() {
  bash --noprofile --norc -euc '
    disttaskctl() { [ "$*" = "task ls --all -o name" ] && printf "k-1\nk-2\nother\n"; }
    . "$1"
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _disttaskctl || :  # compopt works within a completion only, compgen that finds nothing fails
    printf "%s\n" "${COMPREPLY[@]}" | sort | paste -sd " "' bash "$completion" "$@"
}
expect_offers() {
  local expected=$1
  shift
  local found
  found=$(offers "$@") || { echo "completing '$*' fails"; exit 1; }
  [ "$found" = "$expected" ] || { echo "completing '$*' offers '$found', expected '$expected'"; exit 1; }
}
expect_offers "node" disttaskctl no
expect_offers "submit subtasks" disttaskctl task su
expect_offers "--validate" disttaskctl task submit --val
expect_offers "auto off require" disttaskctl task submit --validate ""
expect_offers "k-1 k-2" disttaskctl task show k-
expect_offers "gc ls" disttaskctl history ""
expect_offers "" disttaskctl task nothing-begins-so
for shell in zsh fish; do
  "$prefix/bin/disttaskctl" completion "$shell" >"$work/completion.$shell"
  ! command -v "$shell" >/dev/null || "$shell" -n "$work/completion.$shell"
done
grep -q 'fBdisttaskctl task submit' "$prefix/share/man/man1/disttaskctl-task.1"

# What plugin new writes builds against the installed SDK, and its tests pass without a store.
"$prefix/bin/disttaskctl" plugin new add_up --dir "$work/add_up" 2>/dev/null
cmake -S "$work/add_up" -B "$work/add_up/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >"$work/add_up.log" 2>&1 || { cat "$work/add_up.log"; exit 1; }
cmake --build "$work/add_up/build" >"$work/add_up.log" 2>&1 || { cat "$work/add_up.log"; exit 1; }
ctest --test-dir "$work/add_up/build" --output-on-failure >"$work/add_up.log" 2>&1 || { cat "$work/add_up.log"; exit 1; }

# A program that embeds the library finds it, and what it needs, by the same package.
mkdir "$work/embedded"
cp "$source/docs/examples/embedded/embedded.cpp" "$work/embedded/"
cat >"$work/embedded/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(embedded LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 20)
find_package(disttask REQUIRED)
add_executable(embedded embedded.cpp)
target_link_libraries(embedded PRIVATE disttask::executor disttask::planning disttask::scheduler disttask::storage_mysql disttask::sqlclient
  disttask::plugin_api disttask::runtime)
CMAKE
cmake -S "$work/embedded" -B "$work/embedded/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >"$work/embedded.log" 2>&1 || { cat "$work/embedded.log"; exit 1; }
cmake --build "$work/embedded/build" >"$work/embedded.log" 2>&1 || { cat "$work/embedded.log"; exit 1; }
