#!/usr/bin/env bash
# Builds the Debian packages disttask and libdisttask-dev.
#   package.sh FOLDER [VERSION]      the version's default is the one of CMakeLists.txt
# What is built stays in build/package, so the next time is quick. DISTTASK_BUILD_DIR names the build folder (default: build/ in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1:-} in
  '' | -*) sed -n '2,4s/^# \{0,1\}//p' deploy/package.sh >&2; exit 2 ;;
esac
mkdir -p "$1"
out=$(cd "$1" && pwd)
version=${2:-$(sed -n 's/^project(disttask VERSION \([0-9.]*\) .*/\1/p' CMakeLists.txt)}
case $version in
  [0-9]*) ;;
  *) echo "package.sh: '$version' is no version of a package; expected one that begins with a digit, such as 1.2.3" >&2; exit 2 ;;
esac

deploy/packages.sh install build package

build=$(realpath -m "${DISTTASK_BUILD_DIR:-build}")/package
export DISTTASK_SOURCE=$PWD DISTTASK_PACKAGE_BUILD=$build/cmake
export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$DISTTASK_SOURCE} CCACHE_NOHASHDIR=1
stage=$build/stage/disttask
rm -rf "$build/stage"
mkdir -p "$stage"
cp -r deploy/debian "$stage/debian"
when=$(git log -1 --format=%cD 2>/dev/null || date -R)
cat >"$stage/debian/changelog" <<END
disttask ($version) unstable; urgency=medium

  * What has changed stands in CHANGELOG.md.

 -- $(sed -n 's/^Maintainer: //p' deploy/debian/control)  $when
END

log=$build/log
if ! (cd "$stage" && dpkg-buildpackage --build=binary --no-sign --no-check-builddeps) >"$log" 2>&1; then
  tail -n 30 "$log" >&2
  exit 1
fi
cp "$build"/stage/*.deb "$out/"
(cd "$build/stage" && printf '%s\n' *.deb)
