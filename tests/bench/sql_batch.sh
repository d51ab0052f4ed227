#!/usr/bin/env bash
# sql_batch with one daemon, from submit to success, against pt-archiver (percona-toolkit), one big statement, and a bare client that sends the same chunks:
# an UPDATE and a DELETE of every row of the same table of 1 million rows, in turn, in the same run, on a private MariaDB; meanwhile a bystander reads one
# row of another table by its key, 200 times a second. Each begins with nothing left to purge or to write from the one before.
#   sql_batch.sh [--json FILE]      the figures; each repetition begins with another contestant
#   sql_batch.sh --goals [--json F]  the two figures with a goal alone, for more repetitions in the same time
#   sql_batch.sh --frontier         a table of rows/s and of the bystander's times for several chunk_time and sleep_ratio, and for several --limit
# DISTTASK_BUILD_DIR names the folder of builds (default: build/ in the checkout); a release build is made there. DISTTASK_BENCH_ROWS is the number of rows,
# DISTTASK_BENCH_REPETITIONS how often (default 5). DISTTASK_SMOKE names a finished build: that is used, with few rows and once, to see that it works; ends with 77
# where pt-archiver is missing then.
# Figures of the DELETE: sql_batch_vs_pt_archiver (rows/s over those of pt-archiver with --bulk-delete and --limit 1000, as in its manual),
# sql_batch_bystander_p99_ratio (p99 of the bystander over that beside pt-archiver), both as sql_batch_50ms_… (with chunk_time 50ms in place of the default)
# and as …_10000 (over pt-archiver with --limit 10000), sql_batch_vs_bare_chunks,
# sql_batch_vs_one_statement, sql_batch_bystander_p99_vs_one_statement; of the UPDATE: the last three as sql_batch_update_…. pt-archiver has no UPDATE.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
json=
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --json) json=${2:?--json takes a file}; shift 2 ;;
    --frontier | --goals) options+=("$1"); shift ;;
    *) sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done

build=${DISTTASK_SMOKE:-}
if [ -n "$build" ]; then
  export DISTTASK_BENCH_ROWS=2000 DISTTASK_BENCH_REPETITIONS=1
  command -v pt-archiver >/dev/null || { echo "there is no pt-archiver: deploy/packages.sh install bench"; exit 77; }
else
  deploy/packages.sh install build test bench
  build=${DISTTASK_BUILD_DIR:-build}/bench
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DDISTTASK_BUILD_TESTS=OFF >/dev/null
  cmake --build "$build" --target disttaskd disttaskctl sql_batch >&2
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/disttask-batch.XXXXXX")
node=
finish() {
  [ -z "$node" ] || { kill "$node" 2>/dev/null && wait "$node" 2>/dev/null; } || true
  deploy/private-mariadb.sh remove "$work/db" || true
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
deploy/private-mariadb.sh start "$work/db" --innodb-buffer-pool-size=2G --innodb-log-file-size=1G
sql() { mariadb --no-defaults --socket="$work/db/s.sock" --user=root "$@"; }
mkdir "$work/plugins"
cp "$build/plugins/sql_batch.so" "$work/plugins/"
sql -e "create database bench character set utf8mb4"
cat >"$work/node.yaml" <<YAML
node: {id: node-1, state_dir: $work/node-1, slots: 4}
store: {socket: $work/db/s.sock, user: root}
plugins: {dir: $work/plugins}
connections:
  bench: {socket: $work/db/s.sock, user: root, types: [sql_batch], schemas: [bench]}
log: {level: warn}
YAML
ctl=$build/daemon/ctl/disttaskctl
"$ctl" --config "$work/node.yaml" schema install >&2
"$ctl" --config "$work/node.yaml" schema install --connection bench >&2
"$build/daemon/disttaskd" --config "$work/node.yaml" >"$work/node.log" 2>&1 &
node=$!
{
  echo "server: $(sql -N -e 'select version()'), CPUs: $(nproc), load: $(cut -d' ' -f1-3 /proc/loadavg)"
  pt-archiver --version
  cat "$work/node.yaml"
} >&2

status=0
python3 tests/bench/sql_batch.py --ctl "$ctl" --config "$work/node.yaml" --socket "$work/db/s.sock" --rows "${DISTTASK_BENCH_ROWS:-1000000}" \
  --repetitions "${DISTTASK_BENCH_REPETITIONS:-5}" "${options[@]}" >"$work/result.json" || status=$?
if [ "$status" -ne 0 ]; then
  tail -n 20 "$work/node.log" >&2
  exit "$status"
fi
cat "$work/result.json"
[ -z "$json" ] || cp "$work/result.json" "$json"
