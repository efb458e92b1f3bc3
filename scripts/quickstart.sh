#!/usr/bin/env bash
# npm run quickstart: from a bare machine to a box that ran, every line the result of a check.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh
exec node build/quickstart.cjs
