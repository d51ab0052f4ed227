#!/usr/bin/env bash
# A place to try disttask by hand: a private MariaDB with a table shop.orders of 500,000 rows, three nodes a, b and c, and a shell in which disttaskctl talks to
# them. All of it is below one folder, $PLAY in that shell, and goes when the shell ends. In the shell: `sql TEXT` asks the server, `node a` starts a node again;
# $PLAY/a.pid, a.log and a.yaml belong to it; $PLAY/bump.json is the meta of a task that changes each row once and takes a minute or so.
#   deploy/playground.sh [COMMAND [ARGUMENT…]]      COMMAND: instead of a shell
# DISTTASK_BUILD_DIR names the build folder (default: build/ in the checkout), PLAYGROUND_BUILD a finished build, PLAYGROUND_ROWS other rows.
set -euo pipefail
case ${1:-} in
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
caller=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

build=${PLAYGROUND_BUILD:-}
if [ -n "$build" ]; then
  build=$(realpath "$build")
else
  deploy/packages.sh install build demo
  build=$(realpath -m "${DISTTASK_BUILD_DIR:-build}")/demo
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DDISTTASK_BUILD_TESTS=OFF >/dev/null
  cmake --build "$build" --target disttaskd disttaskctl csv_import sql_batch
fi

PLAY=$(mktemp -d "${TMPDIR:-/tmp}/disttask-playground.XXXXXX")
export PLAY
cleanup() {
  trap '' INT TERM
  local pid pids
  mapfile -t pids < <(cat "$PLAY"/?.pid 2>/dev/null)
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do
    for _ in $(seq 300); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
  done
  "$root/deploy/private-mariadb.sh" remove "$PLAY/db" || true
  rm -rf "$PLAY"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

mkdir -p "$PLAY/bin" "$PLAY/plugins"
ln -s "$build/daemon/ctl/disttaskctl" "$build/daemon/disttaskd" "$PLAY/bin/"
cp "$(find "$build" -name csv_import.so -print -quit)" "$(find "$build" -name sql_batch.so -print -quit)" "$PLAY/plugins/"
cat >"$PLAY/bin/sql" <<'SH'
#!/bin/sh
exec mariadb --no-defaults --socket="$PLAY/db/s.sock" --user=root --table -e "$*"
SH
cat >"$PLAY/bin/node" <<'SH'
#!/bin/sh
[ -f "$PLAY/$1.yaml" ] || { echo "node: takes a, b or c" >&2; exit 2; }
setsid disttaskd --config "$PLAY/$1.yaml" >>"$PLAY/$1.log" 2>&1 </dev/null &
echo $! >"$PLAY/$1.pid"
SH
chmod +x "$PLAY/bin/sql" "$PLAY/bin/node"
export PATH=$PLAY/bin:$PATH
export DISTTASK_STORE="mysql://root@localhost/disttask?socket=$PLAY/db/s.sock"

deploy/private-mariadb.sh start "$PLAY/db"
sql "create database shop; create table shop.orders (id int not null primary key, n int not null default 0);
  insert into shop.orders (id) select seq from shop.seq_1_to_${PLAYGROUND_ROWS:-500000}" >/dev/null
for node in a b c; do
  cat >"$PLAY/$node.yaml" <<YAML
node: {id: $node, slots: 2, state_dir: $PLAY/$node, lease: 6s}
store: {socket: $PLAY/db/s.sock, user: root, schema: disttask}
plugins: {dir: $PLAY/plugins, config: {csv_import: {allowed_dirs: [$PLAY]}}}
connections:
  shop: {socket: $PLAY/db/s.sock, user: root, types: [sql_batch, csv_import], schemas: [shop]}
scheduler: {history_after: 30s}
http: {listen: 127.0.0.1:0}
YAML
done
cat >"$PLAY/bump.json" <<'JSON'
{"connection": "shop", "table": "shop.orders", "statement": "update shop.orders set n = n + 1 where {range}",
 "chunk_rows": 500, "chunk_time": "0s", "subtask_rows": 20000, "sleep_ratio": 60}
JSON
disttaskctl schema install >/dev/null
disttaskctl --config "$PLAY/a.yaml" schema install --connection shop >/dev/null
for node in a b c; do node "$node"; done
for _ in $(seq 300); do
  [ "$(disttaskctl node ls -o json | grep -c '"live"')" -lt 3 ] || break
  sleep 0.1
done

cd "$caller"
if [ $# -gt 0 ]; then
  "$@"
else
  disttaskctl node ls
  echo "Three nodes are up. README, 'Try it by hand', has what to type. exit stops and removes all of it."
  PS1='playground$ ' bash --norc -i || true
fi
