/**
 * The first program of a builder, as a script for busybox.
 *
 * @module
 */

/**
 * - Control groups that share controllers out have no processes: the daemon's are moved.
 * - The authority is all that the builder's programs trust: their requests end at the control
 *   server's proxy.
 * - A daemon that starts containerd itself gives up after 15 s, which is too short for a busy host
 *   without hardware virtualization. Where containerd ends, the daemon ends, and the box with it.
 */
export const START = `#!/bin/sh
set -e
cd /sys/fs/cgroup
mkdir -p init
echo $$ > init/cgroup.procs
sed 's/ / +/g; s/^/+/' cgroup.controllers > cgroup.subtree_control
echo 1 > /proc/sys/net/ipv4/ip_forward
mkdir -p /run/builder
printf '%s' "$A3S_BUILDER_AUTHORITY" > /run/builder/authority.pem
unset A3S_BUILDER_AUTHORITY
cd /
{ containerd; kill $$; } &
until test -S /run/containerd/containerd.sock; do sleep 0.1; done
exec dockerd -H unix:///run/docker.sock --containerd=/run/containerd/containerd.sock
`;
