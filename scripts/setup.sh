#!/usr/bin/env bash
# Brings a bare Debian 13 machine with Node 20 to where a3s-box runs: Debian packages, npm packages,
# the bundles, the firmware, the guest agent and the boot artefacts. Each step is skipped when its
# result is there and its inputs are unchanged, and leaves its mark only when it is done: it can be
# interrupted and run again.
#
#   scripts/setup.sh                what running needs
#   scripts/setup.sh --tests        what the tests need as well
#   scripts/setup.sh --test-tools   of that, what the tests need that boot nothing
#   scripts/setup.sh --check-tools  of that, what the checks and the agent's tests need
#   scripts/setup.sh --plain        what plain boxes need: without the firmware, where that is not made yet
#   scripts/setup.sh --arm64        what boxes of linux/arm64 need as well; --tests has it too
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup-steps.sh
. scripts/setup-kept.sh

with_tests=no with_boot=yes with_addon=yes plain_alone=no with_arm64=no
case "${1:-}" in
  --tests) with_tests=yes with_arm64=yes ;;
  --test-tools) with_tests=yes with_boot=no ;;
  --check-tools) with_tests=yes with_addon=no ;;
  --plain) plain_alone=yes ;;
  --arm64) with_arm64=yes ;;
esac

lock_setup
check_machine
step packages 'Debian packages' install_packages
step npm 'npm packages' install_npm
if [ "$with_tests" = yes ]; then
  step fuzzer 'coverage-guided fuzzer' install_fuzzer
fi
if [ "$with_addon" = no ]; then
  finish_setup
  exit
fi
step addon 'native add-on, compiled here' build_addon
if [ "$with_tests" = yes ] && [ -n "${SOAK:-}" ]; then
  step databases 'image of PostgreSQL and redis, for a soak' make_databases
fi
step bundles 'TypeScript bundles' build_bundles
if [ "$with_boot" = no ]; then
  finish_setup
  exit
fi
if [ "$plain_alone" = yes ] && ! firmware_done; then
  step plain_boot 'guest agent, kernel and initrd of plain boxes' build_plain_boot
  finish_setup
  exit
fi
step firmware 'firmware of confidential boxes, about two minutes' build_firmware
step boot 'guest agent, kernel and initrd' build_boot
if [ "$with_arm64" = yes ]; then
  step arm64_boot 'guest agent, kernel and initrd of linux/arm64' build_arm64_boot
fi
step builder 'image of the builder, for docker build' build_builder
finish_setup
