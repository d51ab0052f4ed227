#!/usr/bin/env bash
# Puts the throughput of another commit's daemon beside this checkout's: the same rows, the same server, in turn, five times each.
#   compare.sh REF [--json FILE] [--quick]
# Figures: throughput_this, throughput_other (empty subtasks/s of one daemon, 16 at a time, 100,000 pending rows), throughput_vs_other (this over other; a
# regression is below 1). Both commits must use the same version of the tables and of the plugin ABI. DISTTASK_BUILD_DIR as for run.sh;
# with DISTTASK_SMOKE, as there, nothing is built, and its daemon stands in for the other one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
usage() { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -ge 1 ] || usage
ref=$(git rev-parse --verify --quiet "$1^{commit}") || { echo "compare: '$1' is no commit" >&2; exit 2; }
shift
json=
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --json) json=${2:?--json takes a file}; shift 2 ;;
    --quick) options+=(--quick); shift ;;
    *) usage ;;
  esac
done

[ -n "${DISTTASK_SMOKE:-}" ] || deploy/packages.sh install build test
work=$(mktemp -d "${TMPDIR:-/tmp}/disttask-compare.XXXXXX")
finish() {
  [ ! -d "$work/db" ] || deploy/private-mariadb.sh remove "$work/db" || true
  git worktree remove --force "$work/other" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
if [ -n "${DISTTASK_SMOKE:-}" ]; then
  build=$DISTTASK_SMOKE
  other=$build
  options+=(--smoke)
else
  build=${DISTTASK_BUILD_DIR:-build}/bench-figures
  other=$work/build
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DDISTTASK_BUILD_TESTS=ON -DDISTTASK_FAILPOINTS=OFF >/dev/null
  cmake --build "$build" --target disttaskd disttask_bench bench_task >&2
  git worktree add --quiet --detach "$work/other" "$ref"
  cmake -S "$work/other" -B "$other" -G Ninja -DCMAKE_BUILD_TYPE=Release -DDISTTASK_BUILD_TESTS=OFF >/dev/null
  cmake --build "$other" --target disttaskd >&2
fi

deploy/private-mariadb.sh start "$work/db" --innodb-buffer-pool-size=2G --innodb-log-file-size=1G
mkdir -m 700 "$work/run"
figures=$build/tests/bench/figures
echo "this: $(git log -1 --format='%h %s')$(git diff --quiet HEAD || echo ', changed'); other: $(git log -1 --format='%h %s' "$ref")" >&2
"$figures/disttask_bench" --dsn "mysql://root@localhost/?socket=$work/db/s.sock" --daemon "$build/daemon/disttaskd" \
  --compare "$other/daemon/disttaskd" --plugin "$figures/bench_task.so" --work "$work/run" --json "$work/result.json" "${options[@]}"
cat "$work/result.json"
[ -z "$json" ] || cp "$work/result.json" "$json"
