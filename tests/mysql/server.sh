#!/usr/bin/env bash
# A private MySQL in one folder: own data, own socket, a free loopback port. Touches nothing outside the folder and the build folder.
#   server.sh build                      unpacks a Debian sid with its mysql-server-core into the build folder; needs root (debootstrap) and half a minute.
#                                        Ends with 77 where that cannot be done
#   server.sh start DIR [mysqld option…] makes the data on first use, returns when the server answers; builds before, when there is no server
#   server.sh stop DIR                   stops it and waits
#   server.sh remove DIR                 stops it and deletes the folder
# DIR/port has the port, DIR/s.sock is the socket, user root without password on the socket; user tester, password DIR/password (caching_sha2_password), on both.
# DIR/ca.pem signed its certificate, for 127.0.0.1. Log DIR/log, process id DIR/pid. DISTTASK_BUILD_DIR names the build folder (default: build/ in the checkout).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(realpath -m "${DISTTASK_BUILD_DIR:-$here/../../build}")/mysql/root

usage() { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }

build() {
  [ ! -x "$root/usr/sbin/mysqld" ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "a MySQL for the tests is unpacked by debootstrap, which needs root" >&2
    exit 77
  fi
  "$here/../../deploy/packages.sh" install mysql
  rm -rf "$root"
  mkdir -p "$root"
  debootstrap --variant=minbase sid "$root" >"$root.log" 2>&1 || { tail -n 5 "$root.log" >&2; exit 77; }
  # Nothing that is installed in there may start.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod +x "$root/usr/sbin/policy-rc.d"
  chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends mysql-server-core >>"$root.log" 2>&1 ||
    { tail -n 5 "$root.log" >&2; exit 77; }
}

# By the loader of that Debian, not in a chroot: folders are where they are, and a user can do it too.
mysqld() {
  exec "$root/lib64/ld-linux-x86-64.so.2" --library-path "$root/usr/lib/x86_64-linux-gnu:$root/usr/lib/mysql/private" "$root/usr/sbin/mysqld" \
    --no-defaults --basedir="$root/usr" --lc-messages-dir="$root/usr/share/mysql" --character-sets-dir="$root/usr/share/mysql/charsets" \
    --plugin-dir="$root/usr/lib/mysql/plugin" --datadir="$dir/data" --secure-file-priv= "$@"
}

# shellcheck source-path=SCRIPTDIR
. "$here/../../deploy/private-server.bash"

# The certificate that MySQL makes for itself names no host, and none of ours takes such a one.
certify() {
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$dir/ca-key.pem" -out "$dir/ca.pem" -days 30 -subj /CN=test-ca 2>>"$dir/install.log"
  openssl req -newkey rsa:2048 -nodes -keyout "$dir/server-key.pem" -subj /CN=127.0.0.1 2>>"$dir/install.log" |
    openssl x509 -req -CA "$dir/ca.pem" -CAkey "$dir/ca-key.pem" -CAcreateserial -days 30 -extfile <(echo subjectAltName=IP:127.0.0.1) \
      -out "$dir/server.pem" 2>>"$dir/install.log"
}

start() {
  running && return 0
  build
  local as_user=()
  [ "$(id -u)" -ne 0 ] || as_user=(--user=root)
  if [ ! -d "$dir/data/mysql" ]; then
    rm -rf "$dir/data"
    (mysqld "${as_user[@]}" --initialize-insecure) >"$dir/install.log" 2>&1 || { cat "$dir/install.log" >&2; exit 1; }
  fi
  [ -s "$dir/server.pem" ] || certify
  rm -f "$dir/pid"
  [ -s "$dir/port" ] || python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' >"$dir/port"
  (umask 077; [ -s "$dir/password" ] || head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$dir/password")
  export TMPDIR=$dir # temporary tables
  (mysqld "${as_user[@]}" --socket="$dir/s.sock" --pid-file="$dir/pid" --port="$(cat "$dir/port")" --bind-address=127.0.0.1 --mysqlx=OFF \
    --ssl-ca="$dir/ca.pem" --ssl-cert="$dir/server.pem" --ssl-key="$dir/server-key.pem" \
    --innodb-buffer-pool-size=256M --innodb-redo-log-capacity=256M --max-connections=400 --max-allowed-packet=64M --local-infile=ON \
    --performance-schema=OFF "$@" >>"$dir/log" 2>&1 </dev/null) &
  local client=(mariadb --no-defaults --socket="$dir/s.sock" --user=root)
  wait_until_ready mysql $! "${client[@]}" -e 'select 1'
  for host in localhost 127.0.0.1; do
    echo "create user if not exists tester@'$host' identified by '$(cat "$dir/password")'; grant all on *.* to tester@'$host' with grant option;"
  done | "${client[@]}"
}

if [ "$*" = build ]; then build; else serve "$@"; fi
