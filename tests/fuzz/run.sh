#!/usr/bin/env bash
# Builds the fuzz targets with clang 14, libFuzzer and the address and undefined behaviour sanitizers, and runs each for a while, one after the other.
#   tests/fuzz/run.sh [--seconds N] [TARGET…]      default: 60 seconds each, all targets; each ends by itself
# What ends a target badly is kept in build/fuzz/found as TARGET-crash-…; put it into tests/fuzz/corpus/TARGET under a name that says what it is, and mend the
# fault. Inputs that reach new code are kept in build/fuzz/grown/TARGET for the next run. DISTTASK_BUILD_DIR names the build folder (default: build/).
# With DISTTASK_SMOKE nothing is built and each target runs for a second; ends with 77 where the targets have not been built before.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

usage() { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }

seconds=60
if [ "${1:-}" = --seconds ]; then
  seconds=${2:-}
  [[ $seconds =~ ^[1-9][0-9]{0,5}$ ]] || { echo "tests/fuzz/run.sh: --seconds is '$seconds'; expected a number from 1" >&2; usage; }
  shift 2
fi
known=()
for corpus in tests/fuzz/corpus/*/; do known+=("$(basename "$corpus")"); done
[ $# -gt 0 ] || set -- "${known[@]}"
for target in "$@"; do
  [ -d "tests/fuzz/corpus/$target" ] || { echo "tests/fuzz/run.sh: '$target' is no target; expected ${known[*]}" >&2; usage; }
done

build=${DISTTASK_BUILD_DIR:-build}/fuzz
if [ -n "${DISTTASK_SMOKE:-}" ]; then
  seconds=1
  for target in "$@"; do
    [ -x "$build/tests/fuzz/fuzz_$target" ] || { echo "fuzz_$target has not been built with clang 14: tests/fuzz/run.sh does that"; exit 77; }
  done
else
  deploy/packages.sh install build test fuzz
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_C_COMPILER=clang-14 -DCMAKE_CXX_COMPILER=clang++-14 \
    -DCMAKE_C_FLAGS="-O1 -gline-tables-only" -DCMAKE_CXX_FLAGS="-O1 -gline-tables-only" \
    -DDISTTASK_BUILD_TESTS=ON -DDISTTASK_SANITIZE=fuzzer >/dev/null
  cmake --build "$build" --target "${@/#/fuzz_}"
fi

mkdir -p "$build/found"
failed=()
for target in "$@"; do
  grown=$build/grown/$target
  mkdir -p "$grown"
  echo "== fuzz_$target, $seconds s"
  # The limit in time is for a target that hangs where libFuzzer does not look.
  if ! UBSAN_OPTIONS=print_stacktrace=1 timeout --kill-after=10 $((seconds + 120)) \
    "$build/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=16384 -rss_limit_mb=2048 -timeout=25 \
    -print_final_stats=1 -artifact_prefix="$build/found/$target-" "$grown" "tests/fuzz/corpus/$target"; then
    failed+=("$target")
  fi
done
[ ${#failed[@]} -eq 0 ] || { echo "== FAILED: ${failed[*]}; see $build/found" >&2; exit 1; }
