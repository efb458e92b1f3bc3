import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { LOOPBACK_RULE } from '../../src/builders/make/start-script.ts';
import { PROXY_PORT } from '../../src/builders/ports.ts';
import { canRun } from './egress/world.ts';

const run = promisify(execFile);

/**
 * A bridge as dockerd without `docker-proxy` makes it, and a step behind it whose frames go to
 * 127.0.0.1. The step has no raw sockets but a route there: the frames are the same.
 */
const reaching = (rule: string): string => `
ip link set lo up
ip link add docker0 type bridge
ip addr add 172.17.0.1/16 dev docker0
ip link set docker0 up
echo 1 > /proc/sys/net/ipv4/conf/docker0/route_localnet
${rule}
busybox nc -ll -p ${PROXY_PORT} -e echo reached &
server=$!
unshare -n sleep 600 &
step=$!
trap 'kill $server $step' EXIT
in_step() { nsenter -t $step -n "$@"; }
until [ "$(readlink /proc/$step/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
until busybox nc 127.0.0.1 ${PROXY_PORT} < /dev/null &> /dev/null; do sleep 0.1; done
ip link add port type veth peer name eth0 netns $step
ip link set port master docker0 up
in_step ip addr add 172.17.0.2/16 dev eth0
in_step ip link set eth0 up
in_step ip route add default via 172.17.0.1
in_step sh -c 'echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet'
in_step busybox nc -w 3 127.0.0.1 ${PROXY_PORT} < /dev/null || echo refused
`;

const REACHED = 'reached\n';

it.runIf(await canRun()).each([
  ['drops what a step sends to the loopback of its builder', LOOPBACK_RULE, 'refused\n'],
  ['would let a step reach the loopback of its builder without the rule', '', REACHED],
])('%s', async (_, rule, said) => {
  const { stdout } = await run('unshare', ['-n', 'bash', '-ec', reaching(rule)]);
  expect(stdout).toBe(said);
});
