#!/usr/bin/env bash
# csv_import with two daemons against the server's own LOAD DATA LOCAL INFILE: the same file of 1 million records, the same table, the same run, on a
# private MariaDB. Five repetitions, one after the other in turn; the medians count.
#   csv_import.sh [--json FILE]     DISTTASK_BUILD_DIR names the folder of builds (default: build/ in the checkout); a release build is made there
#                                   DISTTASK_BENCH_RECORDS is the number of records
# Figures: csv_import_vs_load (rows/s of step import, from the first chunk taken to the last one in, over those of LOAD DATA), csv_verified_vs_load
# (the same from submit to the task's success), csv_peak_rss_mib (the larger daemon's peak). The table has a primary key and two more keys;
# …_no_keys: the table has none.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
json=
if [ "${1:-}" = --json ]; then
  json=${2:?--json takes a file}
  shift 2
fi
[ $# -eq 0 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }

deploy/packages.sh install build test demo
build=${DISTTASK_BUILD_DIR:-build}/bench
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DDISTTASK_BUILD_TESTS=OFF >/dev/null
cmake --build "$build" --target disttaskd disttaskctl csv_import >&2

work=$(mktemp -d "${TMPDIR:-/tmp}/disttask-csv.XXXXXX")
nodes=()
finish() {
  [ ${#nodes[@]} -eq 0 ] || kill "${nodes[@]}" 2>/dev/null || true
  [ ${#nodes[@]} -eq 0 ] || wait "${nodes[@]}" 2>/dev/null || true
  deploy/private-mariadb.sh remove "$work/db" || true
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
deploy/private-mariadb.sh start "$work/db" --innodb-buffer-pool-size=2G --innodb-log-file-size=1G
sql() { mariadb --no-defaults --socket="$work/db/s.sock" --user=root "$@"; }

mkdir "$work/in" "$work/plugins"
cp "$build/plugins/csv_import.so" "$work/plugins/"
python3 tests/bench/csv_data.py "${DISTTASK_BENCH_RECORDS:-1000000}" "$work/in/records.csv"
sql -e "create database bench character set utf8mb4"

configure() {
  cat >"$work/$1.yaml" <<YAML
node: {id: $1, state_dir: $work/$1, slots: 4}
store: {socket: $work/db/s.sock, user: root}
plugins:
  dir: $work/plugins
  config: {csv_import: {allowed_dirs: [$work/in]}}
connections:
  bench: {socket: $work/db/s.sock, user: root, types: [csv_import], schemas: [bench]}
log: {level: warn}
YAML
}
configure node-1
configure node-2
ctl=$build/daemon/ctl/disttaskctl
"$ctl" --config "$work/node-1.yaml" schema install >&2
"$ctl" --config "$work/node-1.yaml" schema install --connection bench >&2
for node in node-1 node-2; do
  "$build/daemon/disttaskd" --config "$work/$node.yaml" >"$work/$node.log" 2>&1 &
  nodes+=($!)
done

{
  echo "server: $(sql -N -e 'select version()'), CPUs: $(nproc), load: $(cut -d' ' -f1-3 /proc/loadavg)"
  sql -t -e "show variables where variable_name in ('innodb_buffer_pool_size', 'innodb_log_file_size', 'innodb_flush_log_at_trx_commit',
    'innodb_doublewrite', 'innodb_flush_method', 'sync_binlog', 'log_bin', 'max_allowed_packet', 'sql_mode', 'unique_checks', 'foreign_key_checks')"
  echo "daemons: $build/daemon/disttaskd --config node-1.yaml, and node-2.yaml, with"
  cat "$work/node-1.yaml"
} >&2

status=0
python3 tests/bench/csv_import.py --ctl "$ctl" --config "$work/node-1.yaml" --socket "$work/db/s.sock" --file "$work/in/records.csv" \
  --pids "${nodes[@]}" >"$work/result.json" || status=$?
if [ "$status" -ne 0 ]; then
  tail -n 20 "$work"/node-*.log >&2
  exit "$status"
fi
cat "$work/result.json"
[ -z "$json" ] || cp "$work/result.json" "$json"
