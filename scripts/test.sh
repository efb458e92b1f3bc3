#!/usr/bin/env bash
# npm test: sets up what the tests need, then runs every check and every test. The firmware and the
# boot artefacts are made by the runner, beside the stages that boot nothing. Arguments choose
# stages: check go unit attestation fuzz host kvm vm (all of them when there are none); with
# --changed, or --changed=COMMIT, of these what the change can reach.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh --test-tools
export TSX_DISABLE_CACHE=1
exec node --import tsx scripts/test/main.ts "$@"
