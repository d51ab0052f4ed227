#!/usr/bin/env bash
# The figures of speed, in one run, against a private MariaDB with durable commits and a buffer pool of 2 GiB.
#   run.sh [--json FILE] [--dsn DSN] [--quick] [--figure NAME]…
#     --dsn      another server (it must be otherwise idle, and its statistics must be readable); schemas disttask_bench_* are made and dropped there
#     --quick    fewer repetitions: for a look, not for the page
#     --figure   only these; docs/performance.md lists them. Extra: sweep (1 to 64 subtasks at a time, 10 and 100 tasks)
# The server's data is in TMPDIR (default: /tmp); TMPDIR=/dev/shm shows what is left where no fsync counts.
# DISTTASK_SMOKE names a finished build: that is used, and the least of everything is measured, to see that it works.
# DISTTASK_BUILD_DIR names the folder of builds (default: build/ in the checkout); a release build is made there. The JSON is a list of
# {"figure", "value", "unit", "op", "goal", "ok", "min", "max"}; a missed goal is no failure of the run: look at "ok".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
json=
dsn=
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --json) json=${2:?--json takes a file}; shift 2 ;;
    --dsn) dsn=${2:?--dsn takes a DSN}; shift 2 ;;
    --quick) options+=(--quick); shift ;;
    --figure) options+=(--figure "${2:?--figure takes a name}"); shift 2 ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done

build=${DISTTASK_SMOKE:-}
if [ -n "$build" ]; then
  options+=(--smoke)
else
  deploy/packages.sh install build test
  build=${DISTTASK_BUILD_DIR:-build}/bench-figures
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DDISTTASK_BUILD_TESTS=ON -DDISTTASK_FAILPOINTS=OFF >/dev/null
  cmake --build "$build" --target disttaskd disttask_bench bench_task >&2
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/disttask-bench.XXXXXX")
server=
finish() {
  [ -z "$server" ] || deploy/private-mariadb.sh remove "$server" || true
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
if [ -z "$dsn" ]; then
  server=$work/db
  deploy/private-mariadb.sh start "$server" --innodb-buffer-pool-size=2G --innodb-log-file-size=1G --max-connections=5000
  dsn="mysql://root@localhost/?socket=$server/s.sock"
  options+=(--server-pid "$(cat "$server/pid")")
  sql() { mariadb --no-defaults --socket="$server/s.sock" --user=root "$@"; }
  {
    echo "server: $(sql -N -e 'select version()'), CPUs: $(nproc), load: $(cut -d' ' -f1-3 /proc/loadavg)"
    sql -t -e "show variables where variable_name in ('innodb_buffer_pool_size', 'innodb_log_file_size', 'innodb_flush_log_at_trx_commit',
      'innodb_doublewrite', 'innodb_flush_method', 'sync_binlog', 'log_bin', 'max_connections', 'sql_mode', 'performance_schema')"
  } >&2
fi

mkdir -m 700 "$work/run"
# The DSN may hold a password, so it travels in the environment.
DISTTASK_BENCH_DSN=$dsn "$build/tests/bench/figures/disttask_bench" --daemon "$build/daemon/disttaskd" --plugin "$build/tests/bench/figures/bench_task.so" \
  --work "$work/run" --json "$work/result.json" "${options[@]}"
cat "$work/result.json"
[ -z "$json" ] || cp "$work/result.json" "$json"
