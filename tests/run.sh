#!/usr/bin/env bash
# Installs what is missing, builds, starts a private MariaDB, runs the tests by ctest, cleans up.
#   tests/run.sh [--sanitize address|thread | --store tidb|mysql] [ctest argument…]      for example: tests/run.sh -L unit
# --sanitize builds the libraries at -O1 with that sanitizer and runs the tests labelled unit and plugin.
# --store tidb runs the tests labelled contract, db and system on a private TiDB, built from tests/tidb; the first build takes minutes. --store mysql does
# so on a private MySQL, unpacked by tests/mysql. They end with 77 where there is no Go to build the one, and no root to unpack the other.
# DISTTASK_TEST_DSN=mysql://USER:PASSWORD@HOST:PORT/ makes the store tests use that server instead of a private one.
# DISTTASK_BUILD_DIR names the build folder (default: build/ in the checkout).
set -euo pipefail
case ${1:-} in
  -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."

sanitize=
if [ "${1:-}" = --sanitize ]; then
  case ${2:-} in
    address | thread) sanitize=$2 ;;
    *) echo "tests/run.sh: --sanitize takes address or thread, not '${2:-}'" >&2; exit 2 ;;
  esac
  shift 2
fi

store=mariadb
if [ "${1:-}" = --store ]; then
  case ${2:-} in
    tidb | mysql | mariadb) store=$2 ;;
    *) echo "tests/run.sh: --store takes tidb, mysql or mariadb, not '${2:-}'" >&2; exit 2 ;;
  esac
  shift 2
  [ "$store" = mariadb ] || "tests/$store/server.sh" build
fi

deploy/packages.sh install build test

# Runs ctest in the folder $1 with the arguments after it.
run_tests() {
  local folder=$1 code=0
  shift
  ctest --test-dir "$folder" --output-on-failure --no-tests=error --output-junit junit.xml -j "$(nproc)" "$@" || code=$?
  [ "$code" -eq 0 ] || python3 tests/failures.py "$folder/junit.xml"
  return "$code"
}

build=${DISTTASK_BUILD_DIR:-build}
if [ -n "$sanitize" ]; then
  build=$build/$sanitize
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS="-O1 -g1" -DDISTTASK_BUILD_TESTS=ON -DDISTTASK_WERROR=ON \
    -DDISTTASK_SANITIZE="$sanitize" >/dev/null
  cmake --build "$build" --target disttask_sanitizer_tests
  # No server: only tests that need none.
  run_tests "$build" -L '^(unit|plugin)$' -LE '^lint$' "$@"
  exit
fi

cmake -S . -B "$build/test" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG="-O0 -g1" -DDISTTASK_BUILD_TESTS=ON -DDISTTASK_WERROR=ON >/dev/null
cmake --build "$build/test"

if [ "$store" != mariadb ]; then
  server=$(mktemp -d "${TMPDIR:-/tmp}/disttask-test.XXXXXX")
  trap '"tests/$store/server.sh" remove "$server"' EXIT
  trap 'exit 130' INT TERM
  dxf=()
  [ "$store" != tidb ] || dxf=(--dxf --slots 16)
  "tests/$store/server.sh" start "$server" "${dxf[@]}"
  case $store in
    tidb)
      DISTTASK_TEST_DSN="mysql://root@127.0.0.1:$(cat "$server/port")/"
      DISTTASK_TEST_DXF_CONTROL=$(sed -n 's/^control //p' "$server/out") # of TiDB's own framework, see tests/tidb/control.go
      export DISTTASK_TEST_DXF_CONTROL
      ;;
    mysql) DISTTASK_TEST_DSN="mysql://tester:$(cat "$server/password")@127.0.0.1:$(cat "$server/port")/?tls=verify&ca=$server/ca.pem" ;;
  esac
  DISTTASK_TEST_SERVER=$PWD/tests/$store/server.sh # for tests that stop their server
  export DISTTASK_TEST_DSN DISTTASK_TEST_SERVER
  run_tests "$build/test" -L '^(contract|db|system)$' "$@"
  exit
fi
if [ -z "${DISTTASK_TEST_DSN:-}" ]; then
  server=$(mktemp -d "${TMPDIR:-/tmp}/disttask-test.XXXXXX")
  trap 'deploy/private-mariadb.sh remove "$server"' EXIT
  trap 'exit 130' INT TERM
  deploy/private-mariadb.sh start "$server"
  export DISTTASK_TEST_DSN="mysql://root@localhost/?socket=$server/s.sock"
fi
run_tests "$build/test" "$@"
