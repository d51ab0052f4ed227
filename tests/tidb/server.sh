#!/usr/bin/env bash
# A private TiDB in one folder: own data, a free loopback port. Touches nothing outside the folder and the build folder.
#   server.sh build                     builds the program; ends with 77 where there is no Go >= 1.23. The first build takes minutes
#   server.sh start DIR [tidb option…]  makes the data on first use, returns when the server answers; builds before, when there is no program
#   server.sh stop DIR                  stops it and waits; the next start has the same data and port
#   server.sh remove DIR                stops it and deletes the folder
# DIR/port has the port, DIR/s.sock is the socket, user root without password; log DIR/log, process id DIR/pid, what it said DIR/out.
# DISTTASK_BUILD_DIR names the build folder (default: build/ in the checkout).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${DISTTASK_BUILD_DIR:-$here/../../build}
program=$build/tidb/tidb

usage() { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }

build() {
  local version major minor
  version=$(go env GOVERSION 2>/dev/null || true)
  major=$(sed -n 's/^go\([0-9]*\)\..*/\1/p' <<<"$version")
  minor=$(sed -n 's/^go[0-9]*\.\([0-9]*\).*/\1/p' <<<"$version")
  if [ "${major:-0}" -lt 1 ] || { [ "$major" -eq 1 ] && [ "${minor:-0}" -lt 23 ]; }; then
    echo "a TiDB for the tests needs Go 1.23 or newer on the PATH, and there is ${version:-none}" >&2
    exit 77
  fi
  mkdir -p "$build/tidb"
  (cd "$here" && go build -o "$(realpath "$build")/tidb/tidb" .)
}

# shellcheck source-path=SCRIPTDIR
. "$here/../../deploy/private-server.bash"

start() {
  running && return 0
  [ -x "$program" ] || build
  local port=()
  [ ! -s "$dir/port" ] || port=(--port "$(cat "$dir/port")")
  : >"$dir/out"
  setsid "$program" --data "$dir" --socket "$dir/s.sock" "${port[@]}" "$@" >"$dir/out" 2>&1 </dev/null &
  local server=$!
  echo "$server" >"$dir/pid"
  wait_until_ready tidb "$server" grep -q '^ready ' "$dir/out"
  sed -n 's/^ready //p' "$dir/out" >"$dir/port"
}

if [ "$*" = build ]; then build; else serve "$@"; fi
