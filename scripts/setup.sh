#!/usr/bin/env bash
# Brings a bare Debian 13 machine with Node 20 to where a3s-box runs: Debian packages, npm packages,
# the bundles, the firmware, the guest agent and the boot artefacts. Each step is skipped when its result is there
# and its inputs are unchanged, and leaves its mark only when it is done: it can be interrupted and run again.
#
#   scripts/setup.sh            what running needs
#   scripts/setup.sh --tests    what the tests need as well
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup-steps.sh

with_tests=no
[ "${1:-}" = --tests ] && with_tests=yes

lock_setup
check_machine
step packages 'Debian packages' install_packages
step npm 'npm packages, native add-on compiled here' install_npm
if [ "$with_tests" = yes ]; then step fuzzer 'coverage-guided fuzzer' install_fuzzer; fi
step bundles 'TypeScript bundles' build_bundles
step firmware 'firmware of confidential boxes, about a minute' build_firmware
step boot 'guest agent, kernel and initrd' build_boot
finish_setup
