#!/usr/bin/env bash
# Takes the store away from daemons with work in hand for a while (default: 10 minutes) and checks that they live on quietly and go on
# when it is back; see docs/faults.md.
#   tests/fault/outage.sh [--minutes N]
# DISTTASK_SMOKE names a finished build: that is used for an outage of seconds, and neither processor time nor the pause afterwards is judged.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/fault/build.sh
. tests/fault/build.sh
exec python3 -B tests/fault/outage.py --build "$build" "$@"
