#!/usr/bin/env bash
# npm run bench: benchmarks against peers and limits measured in the same run.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh --tests >&2
# One certificate file, read at every start of node, would cost more than what is measured.
unset NODE_EXTRA_CA_CERTS
export TSX_DISABLE_CACHE=1
# In a session of its own: Ctrl-C reaches this shell and no program that is being measured, and what
# has to be cleaned up afterwards still can be.
setsid node --conditions=a3s-source --import tsx bench/main.ts "$@" &
pid=$!
trap 'kill -INT "$pid" 2>/dev/null' INT TERM HUP
until wait "$pid"; do
  status=$?
  kill -0 "$pid" 2>/dev/null || exit "$status"
done
