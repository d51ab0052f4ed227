#!/usr/bin/env bash
# A task of 5,000 (and 1) empty subtasks from submit to succeed, in turn on one real TiDB: by TiDB's own scheduler and executor, and by one daemon of ours
# with the scheduler role and a schema of its own. Wants Go 1.23 or newer on the PATH; the first build of TiDB takes some minutes.
#   tidb.sh [--json FILE] [--rounds N] [--figure NAME]…      five rounds by default, all figures; DISTTASK_BUILD_DIR as for run.sh
# Then again in TiDB's own tables, planned by TiDB's live scheduler: by its executor, and by one daemon of ours with store.schema: mysql (tidb_mysql_vs_own).
# DISTTASK_SMOKE names a finished build: that is used for one round, to see that it works; ends with 77 where no TiDB has been built then.
# Figures: tidb_vs_own (16 subtasks at a time), tidb_vs_own_serial (one at a time): TiDB's seconds over ours. TiDB's executor takes the subtasks of a task one after
# the other whatever its slots are; with tidb_vs_own the task has as many slots as its node, at most 16.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
json=
rounds=5
only=()
while [ $# -gt 0 ]; do
  case $1 in
    --json) json=${2:?--json takes a file}; shift 2 ;;
    --rounds) rounds=${2:?--rounds takes a number}; shift 2 ;;
    --figure) only+=(--figure "${2:?--figure takes a name}"); shift 2 ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done

build=${DISTTASK_SMOKE:-}
if [ -n "$build" ]; then
  rounds=1
  [ -x "${DISTTASK_BUILD_DIR:-build}/tidb/tidb" ] || { echo "no TiDB has been built: tests/tidb/server.sh build"; exit 77; }
else
  deploy/packages.sh install build test
  build=${DISTTASK_BUILD_DIR:-build}/bench-figures
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DDISTTASK_BUILD_TESTS=ON -DDISTTASK_FAILPOINTS=OFF >/dev/null
  cmake --build "$build" --target disttaskd disttaskctl disttask_bench bench_task tidb_example >&2
  tests/tidb/server.sh build >&2
fi
figures=$build/tests/bench/figures

work=$(mktemp -d "${TMPDIR:-/tmp}/disttask-tidb.XXXXXX")
finish() {
  [ ! -d "$work/tidb" ] || tests/tidb/server.sh remove "$work/tidb" || true
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
mkdir "$work/tidb"
tests/tidb/server.sh start "$work/tidb" --dxf --slots 16
port=$(cat "$work/tidb/port")
control=$(sed -n 's/^control //p' "$work/tidb/out")
if [ -z "$control" ]; then
  echo "tidb: it has no control" >&2
  exit 1
fi

mkdir -m 700 "$work/run"
status=0
python3 tests/bench/tidb.py "${only[@]}" --control "$control" --rounds "$rounds" --work "$work" --port "$port" --daemon "$build/daemon/disttaskd" \
  --ctl "$build/daemon/ctl/disttaskctl" --example "$(find "$build/tests/system" -name 'tidb_example.so')" -- "$figures/disttask_bench" \
  --dsn "mysql://root@127.0.0.1:$port/" --daemon "$build/daemon/disttaskd" --plugin "$figures/bench_task.so" --work "$work/run" \
  >"$work/result.json" || status=$?
[ "$status" -eq 0 ] || exit "$status"
cat "$work/result.json"
[ -z "$json" ] || cp "$work/result.json" "$json"
