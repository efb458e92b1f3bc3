#!/usr/bin/env bash
# npm run soak: the same tests with the large numbers. Fuzzers run a minute each; a layer has a million files.
set -euo pipefail
export FUZZ_SECONDS=${FUZZ_SECONDS:-60} LAYER_FILES=${LAYER_FILES:-1000000} SOAK=1
exec bash "$(dirname "$0")/test.sh" "$@"
