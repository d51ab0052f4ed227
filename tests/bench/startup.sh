#!/usr/bin/env bash
# How fast a node starts, and how much memory it takes when idle, against a private MariaDB on a socket.
#   startup.sh [--json FILE]     DISTTASK_BUILD_DIR names the folder of builds (default: build/ in the checkout); a release build is made there
# Figures: start_to_registered_ms (exec until READY=1, which comes after the node's row is written; median of 10 starts), idle_rss_mib (resident memory
# of an idle daemon with the shipped plugins 10 s after that; the larger of 2).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
json=
if [ "${1:-}" = --json ]; then
  json=${2:?--json takes a file}
  shift 2
fi
[ $# -eq 0 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }

deploy/packages.sh install build test
build=${DISTTASK_BUILD_DIR:-build}/bench
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DDISTTASK_BUILD_TESTS=OFF >/dev/null
cmake --build "$build" --target disttaskd disttaskctl csv_import >&2

work=$(mktemp -d "${TMPDIR:-/tmp}/disttask-startup.XXXXXX")
trap 'deploy/private-mariadb.sh remove "$work/db" || true; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
deploy/private-mariadb.sh start "$work/db"
mkdir "$work/plugins"
cp "$build/plugins/csv_import.so" "$work/plugins/"
DISTTASK_STORE="mysql://root@localhost/disttask?socket=$work/db/s.sock" "$build/daemon/ctl/disttaskctl" schema install >&2
cat >"$work/node.yaml" <<YAML
node: {id: bench, state_dir: $work/state}
store: {socket: $work/db/s.sock, user: root}
plugins: {dir: $work/plugins}
log: {level: warn}
YAML
echo "server: $(mariadb --no-defaults --socket="$work/db/s.sock" --user=root -N -e "select version()"), CPUs: $(nproc)" >&2
echo "command: $build/daemon/disttaskd --config node.yaml, with" >&2
cat "$work/node.yaml" >&2

python3 tests/bench/startup.py "$build/daemon/disttaskd" "$work/node.yaml" "$work/notify" >"$work/result.json"
cat "$work/result.json"
[ -z "$json" ] || cp "$work/result.json" "$json"
