#!/usr/bin/env bash
# Checks how the sources look: format, shell, YAML, layering and banned calls, and clang-tidy (leave that out with --fast).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
deploy/packages.sh install build lint

failed=0
check() {
  local name=$1
  shift
  if "$@"; then echo "lint: $name ok"; else echo "lint: $name FAILED"; failed=1; fi
}

mapfile -t sources < <(git ls-files '*.cpp' '*.hpp' '*.h' '*.c')
mapfile -t scripts < <(git ls-files '*.sh' '*.bash' .ci/run)
mapfile -t yaml < <(git ls-files '*.yaml' '*.yml' | grep -v '^tests/.*/bad')
check format clang-format --dry-run -Werror "${sources[@]}"
check shell shellcheck -x "${scripts[@]}"
[ ${#yaml[@]} -eq 0 ] || check yaml yamllint -d '{extends: relaxed, rules: {line-length: {max: 160}}}' "${yaml[@]}"
check sources python3 tests/lint/check_sources.py

if [ "${1:-}" != --fast ]; then
  build=${DISTTASK_BUILD_DIR:-build}/lint
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER_LAUNCHER= -DCMAKE_C_COMPILER_LAUNCHER= >/dev/null
  check clang-tidy python3 -B tests/lint/tidy.py "$build"
fi
exit $failed
