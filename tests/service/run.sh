#!/usr/bin/env bash
# Tries the packages under the real systemd: boots a Debian 12 with systemd as process 1 in a container, installs the packages there and looks at what the
# service does. Needs root; ends with 77 where that is missing, with 1 under DISTTASK_TESTS_NO_SKIP. Touches nothing outside of the build folder and the container.
#   run.sh [SCENE…]      all scenes, or those named (run.sh --list shows them)
# DISTTASK_BUILD_DIR names the build folder (default: build/ in the checkout), DISTTASK_PACKAGES a folder with packages that are used as they are,
# DISTTASK_SERVICE_TREE a finished build of the sources, which the scene of an installation without packages wants.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..

[ "${1:-}" != --list ] || exec python3 -B "$here/scenes.py" --list
if [ "$(id -u)" -ne 0 ]; then
  echo "tests/service: a container with systemd as process 1 needs root, and this is $(id -un)" >&2
  [ -z "${DISTTASK_TESTS_NO_SKIP:-}" ] || exit 1
  exit 77
fi
"$root/deploy/packages.sh" install systemd package

build=$(realpath -m "${DISTTASK_BUILD_DIR:-$root/build}")/service
mkdir -p "$build"
exec 9>"$build/lock"
flock 9 # one at a time: the packages and the container's folder are shared

# What the previous commit and this one have in common is compiled once.
CCACHE_BASEDIR=$(realpath "$root")
export CCACHE_BASEDIR CCACHE_NOHASHDIR=1

now=${DISTTASK_PACKAGES:-$build/now}
[ -n "${DISTTASK_PACKAGES:-}" ] || "$root/deploy/package.sh" "$now"
lintian --fail-on error --tag-display-limit 0 "$now"/*.deb
"$here/previous.sh" "$now" "$build/before"
"$here/base.sh" "$now" "$build/base"

work=$(mktemp -d "${TMPDIR:-/tmp}/disttask-service.XXXXXX")
trap '"$root/deploy/private-mariadb.sh" remove "$work/store"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
"$root/deploy/private-mariadb.sh" start "$work/store" 9>&-
# Mounts of its own, and processes that end with it: nothing is left behind, whatever ends it.
PRIVATE_MARIADB=$root/deploy/private-mariadb.sh setpriv --pdeathsig TERM unshare --mount --propagation private python3 -B "$here/scenes.py" --base "$build/base" --now "$now" --before "$build/before" --work "$work" --tree "${DISTTASK_SERVICE_TREE:-}" "$@"
