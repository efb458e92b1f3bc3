#!/usr/bin/env bash
# npm run quickstart: from a bare machine to a plain box that ran, and then to a confidential one.
# Every line is the result of a check. The plain box does not wait for the firmware of the
# confidential one, which takes minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh --plain
node build/quickstart.cjs plain
bash scripts/setup.sh
exec node build/quickstart.cjs confidential
