# What the scripts that run a private server in one folder share; sourced by them, with the folder in $dir and its process id in $dir/pid.
# shellcheck shell=bash disable=SC2154 # dir is the sourcing script's

running() { [ -s "$dir/pid" ] && kill -0 "$(cat "$dir/pid")" 2>/dev/null; }

# Asks it to stop, waits a minute, and then does not ask.
stop() {
  running || { rm -f "$dir/pid"; return 0; }
  local pid
  pid=$(cat "$dir/pid")
  kill "$pid"
  for _ in $(seq 600); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -9 "$pid"
}

# wait_until_ready NAME PID COMMAND…: returns when the command succeeds; the server's last words and 1, when it ended or a minute or two went by.
wait_until_ready() {
  local name=$1 server=$2
  shift 2
  for _ in $(seq 1200); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  echo "$name: the server in $dir did not start; its last words:" >&2
  for said in "$dir/out" "$dir/log"; do
    [ ! -e "$said" ] || tail -n 20 "$said" >&2
  done
  kill "$server" 2>/dev/null || true
  exit 1
}

# serve start|stop|remove DIR [option…]: what these scripts are asked for; the sourcing script has usage and start.
serve() {
  [ $# -ge 2 ] || usage
  local command=$1
  mkdir -p "$2"
  dir=$(cd "$2" && pwd)
  shift 2
  case $command in
    start) start "$@" ;;
    stop) stop ;;
    remove) stop; rm -rf "$dir" ;;
    *) usage ;;
  esac
}
