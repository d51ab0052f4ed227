#!/usr/bin/env bash
# Breaks things around real daemons for a while and audits what is left; see docs/faults.md.
#   tests/fault/chaos.sh [--minutes N] [--nodes N] [--seed S] [--keep]
# The same seed draws the same plan of faults. DISTTASK_BUILD_DIR names the build folder (default: build/ in the checkout);
# DISTTASK_FAULT_BUILD a finished build that is used as it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/fault/build.sh
. tests/fault/build.sh
exec python3 -B tests/fault/chaos.py --build "$build" "$@"
