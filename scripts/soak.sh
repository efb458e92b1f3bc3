#!/usr/bin/env bash
# npm run soak: the same tests with the large numbers, or the stages that are named. It takes hours
# on 2 processors. Of 150 fuzzers and property tests each searches for ten seconds; a box has a
# layer of 200,000 files. Unless stages are named, files of test/e2e run with the engine krun then,
# and the files of the vm stage that `npm test` has run on an emulated host with KVM, whatever
# failed before. The latter takes hours too, and `npm run test:host -- --resume` goes on with it.
set -euo pipefail
here=$(dirname "$0")
status=0
FUZZ_SECONDS=${FUZZ_SECONDS:-10} LAYER_FILES=${LAYER_FILES:-200000} SOAK=1 \
  bash "$here/test.sh" "$@" || status=$?
[ $# -gt 0 ] || bash "$here/test-krun.sh" --suites || status=$?
# The large numbers would take days there.
[ $# -gt 0 ] || env -u SOAK bash "$here/test-host.sh" || status=$?
exit "$status"
