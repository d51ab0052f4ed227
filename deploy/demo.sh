#!/usr/bin/env bash
# Shows the main job on real input: builds, starts a private MariaDB and two nodes, imports the IEEE registry of network addresses, then a million records
# with one node killed on the way, and changes all of these in small chunks, paused and hurried up on the way; verifies each; stops and removes all it started,
# also on Ctrl-C.
#   deploy/demo.sh            DISTTASK_BUILD_DIR names the build folder (default: build/ in the checkout), DISTTASK_DEMO_BUILD a finished build
set -euo pipefail
case ${1:-} in
  "") ;;
  -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "deploy/demo.sh: takes no arguments, not '$1'" >&2; exit 2 ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
build=$root/${DISTTASK_BUILD_DIR:-build}/demo
[[ "${DISTTASK_BUILD_DIR:-}" != /* ]] || build=$DISTTASK_BUILD_DIR/demo

bold=; plain=
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m'; plain=$'\e[0m'; fi
say() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }

say "Packages and build (no tests)"
deploy/packages.sh install build demo
if [ -n "${DISTTASK_DEMO_BUILD:-}" ]; then
  build=$(realpath "$DISTTASK_DEMO_BUILD")
else
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DDISTTASK_BUILD_TESTS=OFF >/dev/null
  cmake --build "$build" --target disttaskd disttaskctl csv_import sql_batch
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/disttask-demo.XXXXXX")
pids=()
cleanup() {
  trap '' INT TERM
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do
    for _ in $(seq 300); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
  done
  deploy/private-mariadb.sh remove "$work/db" || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say "A private MariaDB (own data, own socket, no port)"
deploy/private-mariadb.sh start "$work/db"
sql() { mariadb --no-defaults --socket="$work/db/s.sock" --user=root "$@"; }
sql -N -e "select concat('MariaDB ', version(), ' in $work/db')"
sql -e "create database demo character set utf8mb4;
  create table demo.oui (registry varchar(16) not null, assignment varchar(16) not null, organization varchar(255) not null, address varchar(500),
    key (assignment));
  create table demo.million (id bigint not null auto_increment primary key, registry varchar(16) not null, assignment varchar(16) not null,
    organization varchar(255) not null, address varchar(500), changes int not null default 0)"

mkdir -p "$work/files" "$work/plugins"
cp "$(find "$build" -name csv_import.so -print -quit)" "$(find "$build" -name sql_batch.so -print -quit)" "$work/plugins/"
cp /usr/share/ieee-data/oui.csv "$work/files/"

for node in 1 2; do
  mkdir -p "$work/state-$node"
  cat >"$work/node-$node.yaml" <<YAML
node:
  id: node-$node
  slots: 4
  state_dir: $work/state-$node
  lease: 6s
store:
  socket: $work/db/s.sock
  user: root
  schema: disttask
plugins:
  dir: $work/plugins
  config:
    csv_import:
      allowed_dirs: [$work/files]
connections:
  demo:
    socket: $work/db/s.sock
    user: root
    types: [csv_import, sql_batch]
    schemas: [demo]
scheduler:
  history_after: 2s
http:
  listen: 127.0.0.1:0
log:
  level: info
YAML
done
ctl() { "$build/daemon/ctl/disttaskctl" --config "$work/node-1.yaml" "$@"; }
disttaskctl() { printf '%s$ disttaskctl %s%s\n' "$bold" "$*" "$plain"; ctl "$@"; }

say "The schema of disttask, and the ledger of csv_import and sql_batch in schema demo"
disttaskctl schema install
disttaskctl schema install --connection demo

say "Two nodes"
declare -A node_pid
start_node() {
  # Not a job of this shell, which would announce its violent end by itself.
  node_pid[$1]=$("$build/daemon/disttaskd" --config "$work/node-$1.yaml" >>"$work/node-$1.log" 2>&1 & echo $!)
  pids+=("${node_pid[$1]}")
}
alive() { kill -0 "${node_pid[$1]}" 2>/dev/null; }
start_node 1
start_node 2
for _ in $(seq 100); do
  [ "$(ctl node ls -o json 2>/dev/null | grep -o '"live"' | wc -l)" -lt 2 ] || break
  if ! alive 1 || ! alive 2; then cat "$work"/node-*.log >&2; exit 1; fi
  sleep 0.1
done
disttaskctl node ls

say "First act: the IEEE registry of network addresses, $(($(wc -c <"$work/files/oui.csv") / 1024)) KiB, in small chunks"
cat >"$work/oui.json" <<JSON
{"file": "$work/files/oui.csv", "connection": "demo", "target": {"schema": "demo", "table": "oui"}, "header": true,
 "columns": ["registry", "assignment", "organization", "address"], "chunk_bytes": 262144}
JSON
disttaskctl task submit --type csv_import --key oui --meta "@$work/oui.json" --wait
disttaskctl task subtasks oui
say "Who has the most blocks of addresses?"
sql -t -e "select organization, count(*) as blocks from demo.oui group by organization order by blocks desc limit 5"

say "Second act: a million records made from it; one node is killed (-9) on the way"
{
  cat "$work/files/oui.csv"
  for _ in $(seq 30); do tail -n +2 "$work/files/oui.csv"; done
} >"$work/files/million.csv"
sed -e 's/oui\.csv/million.csv/; s/"table": "oui"/"table": "million"/; s/262144/1048576/' "$work/oui.json" >"$work/million.json"
(
  # Waits until the second node holds running subtasks, then kills it as a power cut would.
  for _ in $(seq 600); do
    [ "$(ctl task subtasks million -o json 2>/dev/null | grep -c '"running"')" -lt 4 ] || break
    sleep 0.1
  done
  kill -9 "${node_pid[2]}"
  printf '\n%s   node-2 was killed with -9 now; its lease of 6 s must end before node-1 may take its chunks%s\n' "$bold" "$plain"
) &
killer=$!
disttaskctl task submit --type csv_import --key million --meta "@$work/million.json" --wait
wait "$killer" 2>/dev/null || true
disttaskctl node ls
say "The table itself"
sql -t -e "select count(*) as records, count(distinct assignment) as assignments from demo.million"

say "Third act: all of these changed in small chunks by sql_batch, gently beside other work; node-2 is back"
start_node 2
cat >"$work/gentle.json" <<JSON
{"connection": "demo", "table": "demo.million", "sleep_ratio": 3, "chunk_time": "200ms",
 "statement": "update million set organization = upper(organization), changes = changes + 1 where {range}"}
JSON
sed 's/"sleep_ratio": 3/"sleep_ratio": 0/' "$work/gentle.json" >"$work/quick.json"
cat "$work/gentle.json"
disttaskctl task submit --type sql_batch --key upper --meta "@$work/gentle.json"
until_subtasks() {  # until_subtasks STATE NUMBER: at most 30 s
  for _ in $(seq 300); do
    [ "$(ctl task subtasks upper -o json 2>/dev/null | grep -c "\"state\": \"$1\"")" -lt "$2" ] || return 0
    sleep 0.1
  done
}
until_subtasks succeed 2
disttaskctl task show upper
say "Somebody needs the server: pause, look, change its pace, go on"
disttaskctl task pause upper
for _ in $(seq 100); do [ "$(ctl task show upper -o json | grep -c '"state": "paused"')" = 0 ] || break; sleep 0.1; done
disttaskctl task ls --active
disttaskctl task why upper
disttaskctl task modify upper --meta "@$work/quick.json" --priority 100
disttaskctl task resume upper
disttaskctl task wait upper
disttaskctl task events upper
sql -t -e "select count(*) as records, min(changes) as least_changes, max(changes) as most_changes from demo.million"
say "What became of the tasks"
for _ in $(seq 100); do [ "$(ctl history ls -o name | wc -l)" -lt 3 ] || break; sleep 0.1; done
disttaskctl history ls

cat <<TEXT

${bold}All verified.${plain} What next:
  * your own task type in ten minutes:   docs/plugin-guide.md
  * a CSV file of yours:                 docs/csv_import.md
  * a big change of your tables:         docs/sql_batch.md
  * the tool:                            docs/disttaskctl.md
  * real nodes:                          config/disttask.minimal.yaml, docs/operations.md
  * the tests:                           tests/run.sh
TEXT
