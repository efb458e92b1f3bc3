#!/usr/bin/env bash
# npm test: sets up what the checks need, then runs every check and every test. The runner sets up
# what else the tests need, beside the stages that can do without. Arguments choose stages: check go
# unit attestation fuzz host kvm vm (all of them when there are none); with --changed, or
# --changed=COMMIT, of these what the change can reach.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh --check-tools
export TSX_DISABLE_CACHE=1
exec python3 scripts/test/small-pages.py node --import tsx scripts/test/main.ts "$@"
