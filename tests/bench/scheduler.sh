#!/usr/bin/env bash
# The figures of the scheduler role, against a private MariaDB as run.sh has it: a real daemon owns the role and plans; 200 nodes are rows and
# timers of one process, which register, renew, poll, take and finish subtasks by the product's own storage code.
#   scheduler.sh [--json FILE] [--dsn DSN] [--quick] [--part plan|load|history|failover|1000]…
#     --part     only these (each a few minutes); 1000 is extra: load and step switches with 1,000 nodes. The others are as in run.sh
# The user of the DSN must be allowed to make users and to set userstat: the owner's statements are counted by its user.
set -euo pipefail
options=()
has_parts=
while [ $# -gt 0 ]; do
  case $1 in
    --json | --dsn) options+=("$1" "${2:?$1 takes a value}"); shift 2 ;;
    --quick) options+=("$1"); shift ;;
    --part) options+=(--figure "scheduler_${2:?--part takes a name}"); has_parts=1; shift 2 ;;
    *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done
[ -n "$has_parts" ] || options+=(--figure scheduler)
exec "$(dirname "${BASH_SOURCE[0]}")/run.sh" "${options[@]}"
