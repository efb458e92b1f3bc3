#!/usr/bin/env bash
# npm test: sets up all that the tests need, then runs every check and every test.
# Arguments choose stages: check go unit attestation fuzz host vm (all of them when there are none);
# with --changed, or --changed=COMMIT, of these what the change can reach.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh --tests
export TSX_DISABLE_CACHE=1
exec node --import tsx scripts/test/main.ts "$@"
