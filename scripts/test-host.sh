#!/usr/bin/env bash
# npm run test:host [FILES]: test files of the vm stage, all of them unless some are named, on an
# emulated host with KVM. With --resume, those that did not pass in the last run.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh --tests
export TSX_DISABLE_CACHE=1
exec node --conditions=a3s-source --import tsx scripts/test/on-host.ts "$@"
