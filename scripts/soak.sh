#!/usr/bin/env bash
# npm run soak: the same tests with the large numbers. Fuzzers run a minute each.
set -euo pipefail
export FUZZ_SECONDS=${FUZZ_SECONDS:-60} SOAK=1
exec bash "$(dirname "$0")/test.sh" "$@"
