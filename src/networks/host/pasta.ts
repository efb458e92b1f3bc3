/**
 * pasta joins a network namespace to the host's network with ordinary sockets. It goes into the
 * background when it is ready, and outlives the server.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { isPastaUser } from '../../jail/identity.ts';
import { portOptions } from '../../jail/passt-ports.ts';
import {
  killProcess,
  type ProcessFence,
  readProc,
  statOf,
  untilGone,
  userOf,
} from '../../processes/fence.ts';
import type { Endpoint, PublishedPort } from './endpoint.ts';
import { ifMissing } from './if-missing.ts';
import { RESOLVER, UPLINK } from './netavark.ts';
import { hasPorts6 } from './published.ts';
import { HOST, PUBLISH } from './routed.ts';
import { PUBLISH6 } from './routed6.ts';
import { type PastaPlace, runPasta } from './run-pasta.ts';
import { runProgram } from './run-program.ts';

const END_MS = 10_000;

/** It is root where it starts, and only root may enter the namespace. */
const COMMON = ['--quiet', '--runas', '0:0', '--no-map-gw'];
const IPV4 = ['--ipv4-only'];
/** The server sets the addresses and routes of IPv6: pasta advertises none and leases none. */
const IPV6 = ['--no-ra', '--no-dhcpv6'];
const NO_WAY_BACK = ['--tcp-ns', 'none', '--udp-ns', 'none'];

/** The device of a pasta that was killed is in the namespace for a moment longer. */
const IS_BUSY = /Failed to set up tap device/;
const BUSY_MS = 5_000;
const PAUSE_MS = 20;

async function startPasta(place: PastaPlace, args: readonly string[]): Promise<void> {
  const end = Date.now() + BUSY_MS;
  for (;;) {
    try {
      await runPasta(place, args);
      return;
    } catch (error) {
      const isBusy = error instanceof A3sError && IS_BUSY.test(error.message);
      if (!isBusy || Date.now() > end) throw error;
    }
    await delay(PAUSE_MS);
  }
}

/** The way out of the namespace that holds the bridges: by IPv6 as well, where the host has it. */
export async function startWayOut(namespace: string, pidFile: string): Promise<void> {
  await startPasta({ namespace, pidFile, hostPorts: [] }, [
    ...[...COMMON, ...IPV6],
    '--config-net',
    ...['--netns', namespace, '--pid', pidFile],
    ...['--dns-forward', RESOLVER, '--map-guest-addr', HOST],
    ...[...portOptions([]), ...NO_WAY_BACK],
  ]);
}

/**
 * The way out of the namespace of a box that has a network to itself. The box has the addresses
 * there that it has behind passt.
 */
export async function startOwnWayOut(
  namespace: string,
  pidFile: string,
  { address, network, resolver }: Pick<Endpoint, 'address' | 'network' | 'resolver'>,
): Promise<void> {
  const { gateway, subnet, mtu } = network;
  await startPasta({ namespace, pidFile, hostPorts: [] }, [
    ...[...COMMON, ...IPV4],
    '--config-net',
    ...['--netns', namespace, '--pid', pidFile, '--ns-ifname', UPLINK, '--mtu', String(mtu)],
    ...['--address', address, '--netmask', subnet.slice(subnet.indexOf('/') + 1)],
    ...['--gateway', gateway],
    ...(resolver === undefined ? [] : ['--dns-forward', resolver]),
    ...[...portOptions([]), ...NO_WAY_BACK],
  ]);
}

/** No box sends there, and the gateway may be there. */
const LINK_LOCAL = /^fe80:/;

const Routes = z.array(
  z.object({
    dst: z.string(),
    dev: z.string(),
    gateway: z.string().optional(),
  }),
);

/**
 * Sends everything to the gateway, also where that is so already. pasta answers for every address
 * of the host's network, and each that a box tries would take an entry of a table that all
 * namespaces of the host share.
 */
export async function routeByGateway(namespace: string): Promise<void> {
  for (const family of ['-4', '-6']) await routeFamily(namespace, family);
}

async function routeFamily(namespace: string, family: string): Promise<void> {
  const printed = await runProgram('ip', [family, '-json', 'route'], { namespace });
  const routes = Routes.parse(JSON.parse(printed));
  const way = routes.find(({ dst, gateway }) => dst === 'default' && gateway !== undefined);
  // Without a gateway the host has nothing but its own network.
  if (way === undefined) return;
  const near = routes.filter(
    ({ dst, dev, gateway }) =>
      dev === way.dev && dst !== 'default' && gateway === undefined && !LINK_LOCAL.test(dst),
  );
  const commands = [
    `route replace default via ${way.gateway} dev ${way.dev} onlink`,
    ...near.map(({ dst, dev }) => `route del ${dst} dev ${dev}`),
  ];
  const input = `${commands.join('\n')}\n`;
  await runProgram('ip', [family, '-batch', '-'], { namespace, input });
}

/**
 * The way in of published ports to the namespace of a box.
 *
 * @throws A3sError `port-in-use`; `invalid-argument` for a port that only root may bind
 */
export async function startPublishing(
  namespace: string,
  pidFile: string,
  ports: readonly PublishedPort[],
  mtu: number,
): Promise<void> {
  const { device, address, prefixLength, gateway } = PUBLISH;
  try {
    const hostPorts = ports.map(({ hostPort }) => hostPort);
    await startPasta({ namespace, pidFile, hostPorts }, [
      ...COMMON,
      ...['--netns', namespace, '--pid', pidFile, '--ns-ifname', device, '--mtu', String(mtu)],
      ...['--address', address, '--netmask', String(prefixLength), '--gateway', gateway],
      ...(hasPorts6(ports)
        ? [...IPV6, '--address', PUBLISH6.address, '--gateway', PUBLISH6.gateway]
        : IPV4),
      ...[...portOptions(ports), ...NO_WAY_BACK],
    ]);
  } catch (error) {
    throw error instanceof A3sError ? (portError(error) ?? error) : error;
  }
}

/** What pasta says of a port that it cannot bind; undefined: it says something else. */
function portError(cause: A3sError): A3sError | undefined {
  const [, port, why] =
    /port (\d+).*(Address already in use|Permission denied)/.exec(cause.message) ?? [];
  if (port === undefined) return undefined;
  if (why === 'Permission denied') {
    return new A3sError('invalid-argument', `Cannot publish port ${port}: it needs root`, {
      remedy: 'Publish a port from 1024 up.',
      cause,
    });
  }
  return new A3sError('port-in-use', `Cannot publish port ${port}: the port is already in use`, {
    remedy: 'Stop what listens there, or publish another port.',
    cause,
  });
}

/** Whether the pasta of this file serves the namespace. */
export function isServing(namespace: string, pidFile: string): boolean {
  try {
    return isPasta(namespace, Number(readFileSync(pidFile, 'utf8')));
  } catch {
    return false;
  }
}

/**
 * Ends the pasta of this file, if there is one, and waits for that: it keeps the namespace's name
 * busy, and its ports, which are closed later than its command line is gone.
 */
export async function endPasta(namespace: string, pidFile: string): Promise<void> {
  const pid = Number((await readFile(pidFile, 'utf8').catch(ifMissing)) ?? '');
  const stat = Number.isInteger(pid) && pid > 1 ? statOf(pid) : undefined;
  // One that was killed by others has no command line any more, and its ports yet.
  if (stat !== undefined && (stat.ending || isPasta(namespace, pid))) {
    killProcess(stat);
    await untilEnded(stat);
  }
  await rm(pidFile, { force: true });
}

async function untilEnded(pasta: ProcessFence): Promise<void> {
  try {
    await untilGone([pasta], AbortSignal.timeout(END_MS));
  } catch (cause) {
    throw new A3sError('network-failed', 'Cannot end pasta: it did not end within 10 s', {
      remedy: 'Start the control server again: it removes what is left of networks.',
      cause,
    });
  }
}

/** Another process may have the number by now, and pasta may have written any. */
function isPasta(namespace: string, pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 1 || !isPastaUser(userOf(pid))) return false;
  return readProc(`/proc/${pid}/cmdline`)?.split('\0').includes(namespace) ?? false;
}
