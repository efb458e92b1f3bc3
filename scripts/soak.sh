#!/usr/bin/env bash
# npm run soak: the same tests with the large numbers, or the stages that are named. It takes hours
# on 2 processors. Of 150 fuzzers and property tests each searches for ten seconds; a box has a
# layer of 200,000 files. Unless stages are named, the files of the vm stage then run once more, on
# an emulated host with KVM, which takes hours.
set -euo pipefail
export FUZZ_SECONDS=${FUZZ_SECONDS:-10} LAYER_FILES=${LAYER_FILES:-200000} SOAK=1
bash "$(dirname "$0")/test.sh" "$@"
[ $# -gt 0 ] || exec bash "$(dirname "$0")/test-host.sh"
