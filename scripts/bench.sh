#!/usr/bin/env bash
# npm run bench: benchmarks against peers and limits measured in the same run.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh --tests >&2
# One certificate file, read at every start of node, would cost more than what is measured.
unset NODE_EXTRA_CA_CERTS
TSX_DISABLE_CACHE=1 exec node --conditions=a3s-source --import tsx bench/main.ts "$@"
