#!/usr/bin/env bash
# Builds the packages of the previous commit, for the upgrade; once for each commit. Where there is none, or it has no packages yet, those of this commit stand in for it,
# with an older version number; under DISTTASK_TESTS_NO_SKIP that is an error.
#   previous.sh PACKAGES FOLDER
set -euo pipefail
now=$1
out=$2
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=$(dpkg-deb --field "$(find "$now" -name 'disttask_*.deb' | head -n 1)" Version)~before
commit=$(git rev-parse --quiet --verify 'HEAD^{commit}^' 2>/dev/null || true)
[ -z "$(git status --porcelain --untracked-files=no 2>/dev/null)" ] || commit=$(git rev-parse HEAD) # what is being changed comes after it
mkdir -p "$out"

stand_in() {
  if [ -n "${DISTTASK_TESTS_NO_SKIP:-}" ]; then
    echo "tests/service: $1, so there is nothing to upgrade from; fetch at least two commits (git fetch --deepen=1)" >&2
    exit 1
  fi
  echo "tests/service: $1, so the upgrade is tried from the packages of this commit with version $version"
  rm -f "$out"/*
  local file stage
  for file in "$now"/*.deb; do
    stage=$(mktemp -d "$out/stage.XXXXXX")
    dpkg-deb --raw-extract "$file" "$stage"
    sed -i "s/^Version: .*/Version: $version/; s/(= [^)]*)/(= $version)/" "$stage/DEBIAN/control"
    dpkg-deb --root-owner-group --build "$stage" "$out/$(basename "$file" | sed "s/_[^_]*_/_${version}_/")" >/dev/null
    rm -rf "$stage"
  done
}

if [ -z "$commit" ]; then
  stand_in "there is no previous commit here"
elif ! git cat-file -e "$commit:deploy/package.sh" 2>/dev/null; then
  stand_in "the previous commit has no packages"
elif [ "$(cat "$out/commit" 2>/dev/null)" != "$commit" ]; then
  rm -rf "$out"
  mkdir -p "$out/source"
  git archive "$commit" | tar -x -C "$out/source"
  DISTTASK_BUILD_DIR=$out/source/build "$out/source/deploy/package.sh" "$out" "$version"
  echo "$commit" >"$out/commit"
fi
