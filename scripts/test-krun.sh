#!/usr/bin/env bash
# npm run test:krun [-- --library PATH] [--header PATH]: the tests of libkrun's binding and shim.
# The rules that the test library keeps are asked of the named library too, and boxes run on it on
# an emulated host with KVM; the table of functions is compared with the named header.
#
# npm run test:krun -- --suites [NAMES]: files of test/e2e with every box on the engine krun, all
# that test/e2e/support/engine-suites.ts has unless some are named. The library of the tests takes
# libkrun's place. All of them take most of an hour on two processors.
set -euo pipefail
cd "$(dirname "$0")/.."
while [ $# -gt 0 ]; do
  case "$1" in
    --library) export A3S_KRUN_LIBRARY="${2:?--library takes a path}" ;;
    --header) export A3S_KRUN_HEADER="${2:?--header takes a path}" ;;
    --suites)
      shift
      files=("${@/#/test/e2e/}")
      A3S_TEST_ENGINE=krun exec npx vitest run --project vm "${files[@]/%/.test.ts}"
      ;;
    *)
      echo "test-krun: unknown argument $1" >&2
      exit 2
      ;;
  esac
  shift 2
done
npx vitest run --project 'unit*' native/krun
[ -z "${A3S_KRUN_LIBRARY:-}" ] || exec npx vitest run --project kvm test/host/krun-library.test.ts
