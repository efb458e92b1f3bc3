/**
 * The first program of a builder, as a script for busybox.
 *
 * @module
 */

import { BRIDGE, BRIDGE_PORT, STEP_PROXY_PORT } from '../ports.ts';
import { BOUND_STEPS, GUARD_PATH, LOOK_SECONDS, STEPS_GROUP } from './guard-script.ts';

/** Where the program is that carries one connection of a step. */
export const CARRY_PATH = '/usr/lib/a3s-builder/carry';

/**
 * Carries a connection, its standard input and output, to the agent.
 *
 * The end of what a program sends would end both directions there, and some programs end theirs
 * after the request, busybox's `wget` among them: it gets to the agent a minute later. The end of
 * the answer ends all of this program's processes.
 */
export const CARRY = `#!/bin/sh
{ dd bs=32k 2> /dev/null; exec sleep 60; } | { nc 127.0.0.1 ${STEP_PROXY_PORT}; kill 0; }
`;

/** A connection of the loopback itself comes in on `lo`. */
export const LOOPBACK_RULE = 'iptables -t raw -A PREROUTING ! -i lo -d 127.0.0.0/8 -j DROP';

/** Runs programs of linux/arm64. It is linked statically, so it runs in every root. */
export const EMULATOR = '/usr/bin/qemu-aarch64';

/**
 * What an ELF header of such a program has, and which of its bits count: 64 bits, little-endian, an
 * executable or a shared object of AArch64.
 *
 * - `F` opens the emulator now, since steps have other roots.
 * - `O` gives it the program opened, which a user may run and not read.
 * - `P` keeps the first argument as the program was given it.
 */
const AARCH64 = [
  ...['qemu-aarch64', 'M', ''],
  String.raw`\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`,
  String.raw`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`,
  ...[EMULATOR, 'OPF'],
].join(':');

/** A kernel without binfmt_misc builds for its own processor alone: BuildKit looks what runs. */
export const EMULATION = `if mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc; then
  printf '%s' ':${AARCH64}' > /proc/sys/fs/binfmt_misc/register
fi`;

/**
 * - Control groups that share controllers out have no processes: the daemon's are moved.
 * - The authority is all that the builder's programs trust: their requests end at the control
 *   server's proxy.
 * - A daemon that starts containerd itself gives up after 15 s, which is too short for a busy host
 *   without hardware virtualization. Where containerd ends, the daemon ends, and the box with it.
 * - What comes from a step's network card and goes to the loopback is dropped, whatever dockerd
 *   makes of its bridge: the proxy of base images listens there, and a step has CAP_NET_RAW.
 * - The agent listens on 127.0.0.1, which the steps' network does not have: `nc` carries their
 *   connections to it, each by a program of its own, and is started anew where the box has no room
 *   for another process.
 */
export const START = `#!/bin/sh
set -e
cd /sys/fs/cgroup
mkdir -p init
for process in $(cat cgroup.procs); do echo $process > init/cgroup.procs || :; done
# A write that sed cannot make is no error to it.
echo "+$(sed 's/ / +/g' cgroup.controllers)" > cgroup.subtree_control
${BOUND_STEPS}
echo 1 > /proc/sys/net/ipv4/ip_forward
${LOOPBACK_RULE}
${EMULATION}
mkdir -p /run/builder
printf '%s' "$A3S_BUILDER_AUTHORITY" > /run/builder/authority.pem
unset A3S_BUILDER_AUTHORITY
cd /
{ containerd; kill $$; } &
${GUARD_PATH} ${STEPS_GROUP} ${LOOK_SECONDS} &
while :; do nc -ll -p ${BRIDGE_PORT} -e setsid ${CARRY_PATH} || sleep 1; done &
until test -S /run/containerd/containerd.sock; do sleep 0.1; done
exec dockerd -H unix:///run/docker.sock --containerd=/run/containerd/containerd.sock --bip=${BRIDGE}/16
`;
