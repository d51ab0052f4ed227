#!/usr/bin/env bash
# The one list of Debian 12 packages, by purpose, and the one way to install them.
#   packages.sh list    [build|run|test|package|systemd|fault|lint|fuzz|mysql|bench|demo …]   prints them
#   packages.sh install [build|run|test|package|systemd|fault|lint|fuzz|mysql|bench|demo …]   installs those that are missing (as root, or through sudo)
# Without a purpose: all but fuzz and mysql, which only those lanes of the tests need.
set -euo pipefail

build=(ccache cmake g++ ninja-build libmysqlcppconn-dev libboost-dev libfmt-dev libyaml-cpp-dev libcli11-dev libspdlog-dev
  nlohmann-json3-dev libsystemd-dev prometheus-cpp-dev libcsv-dev libdeflate-dev)
run=(libmysqlcppconn7v5 libfmt9 libyaml-cpp0.7 libspdlog1.10 libsystemd0 libprometheus-cpp-core1.0 libcsv3 libdeflate0)
test=(catch2 libbenchmark-dev prometheus mariadb-server mariadb-client python3 python3-yaml systemd openssl procps jq)
package=(debhelper dpkg-dev fakeroot lintian)
systemd=(debootstrap systemd-container mariadb-server mariadb-client python3)
fault=(faketime mariadb-server mariadb-client python3)
lint=(clang-format clang-tidy shellcheck yamllint)
fuzz=(clang-14 llvm-14 libclang-rt-14-dev libfuzzer-14-dev)
mysql=(debootstrap mariadb-client openssl python3)
bench=(mariadb-server mariadb-client python3 percona-toolkit)
demo=(mariadb-server mariadb-client ieee-data procps jq)

usage() { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
command=${1:-}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- build run test package systemd fault lint bench demo

wanted=()
for purpose in "$@"; do
  case $purpose in
    build) wanted+=("${build[@]}") ;;
    run) wanted+=("${run[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    package) wanted+=("${package[@]}") ;;
    systemd) wanted+=("${systemd[@]}") ;;
    fault) wanted+=("${fault[@]}") ;;
    lint) wanted+=("${lint[@]}") ;;
    fuzz) wanted+=("${fuzz[@]}") ;;
    mysql) wanted+=("${mysql[@]}") ;;
    bench) wanted+=("${bench[@]}") ;;
    demo) wanted+=("${demo[@]}") ;;
    *) echo "packages.sh: '$purpose' is no purpose; expected build, run, test, package, systemd, fault, lint, fuzz, mysql, bench or demo" >&2; usage ;;
  esac
done

case $command in
  list) printf '%s\n' "${wanted[@]}" | sort -u ;;
  install)
    missing=()
    for package in $(printf '%s\n' "${wanted[@]}" | sort -u); do
      dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || exit 0
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
      command -v sudo >/dev/null || { echo "packages.sh: these are missing, and only root can install them: ${missing[*]}" >&2; exit 1; }
      as_root=(sudo)
    fi
    echo "Installing: ${missing[*]}"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update
    # A server package would start a system-wide server; policy-rc.d forbids that for this call alone.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
      printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
      "${as_root[@]}" chmod 755 $policy
      trap '"${as_root[@]}" rm -f $policy' EXIT
    fi
    log=$(mktemp)
    if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
      tail -n 30 "$log" >&2
      rm -f "$log"
      exit 1
    fi
    rm -f "$log"
    ;;
  *) usage ;;
esac
