#!/usr/bin/env bash
# A private MariaDB in one folder: own data, own socket, no TCP port unless asked. Works as root and as a user; touches nothing outside the folder.
#   private-mariadb.sh start DIR [mariadbd option…]   makes the data on first use, returns when the server answers
#   private-mariadb.sh stop DIR                       stops it and waits
#   private-mariadb.sh remove DIR                     stops it and deletes the folder
# Socket DIR/s.sock, user root without password, log DIR/log, process id DIR/pid.
set -euo pipefail

usage() { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }

# Debian keeps the server in /usr/sbin, which a plain user's PATH may lack.
PATH=$PATH:/usr/sbin:/sbin

# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/private-server.bash"

start() {
  running && return 0
  # A server that starts removes whatever looks like a temporary table in its folder for them, those of other servers too.
  mkdir -p "$dir/tmp"
  export TMPDIR="$dir/tmp"
  # The server refuses to run as root unless told so.
  local as_user=()
  [ "$(id -u)" -ne 0 ] || as_user=(--user=root)
  if [ ! -d "$dir/data/mysql" ]; then
    rm -rf "$dir/data"
    mkdir -p "$dir/data"
    mariadb-install-db --no-defaults --datadir="$dir/data" --auth-root-authentication-method=normal --skip-test-db \
      "${as_user[@]}" >"$dir/install.log" 2>&1 || { cat "$dir/install.log" >&2; exit 1; }
  fi
  rm -f "$dir/pid"
  setsid mariadbd --no-defaults "${as_user[@]}" --datadir="$dir/data" --socket="$dir/s.sock" --pid-file="$dir/pid" --skip-networking \
    --innodb-buffer-pool-size=256M --innodb-log-file-size=256M --max-connections=400 --max-allowed-packet=64M --local-infile=ON \
    --performance-schema=OFF "$@" >>"$dir/log" 2>&1 </dev/null &
  wait_until_ready private-mariadb $! mariadb-admin --no-defaults --socket="$dir/s.sock" --user=root ping
}

serve "$@"
