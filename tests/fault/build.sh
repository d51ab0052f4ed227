# Sourced by the fault scripts: installs what is missing, builds what they load, sets $build. The build folder is the one of tests/run.sh.
# shellcheck shell=bash
build=${DISTTASK_FAULT_BUILD:-${DISTTASK_SMOKE:-}}
if [ -z "$build" ]; then
  deploy/packages.sh install build run test fault
  build=${DISTTASK_BUILD_DIR:-build}/test
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG="-O0 -g1" -DDISTTASK_BUILD_TESTS=ON -DDISTTASK_WERROR=ON >/dev/null
  cmake --build "$build" --target disttaskd disttaskctl chaos sql_batch disttask_real_timers
fi
