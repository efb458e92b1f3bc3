/**
 * A box's network: passt translates between the guest's frames and ordinary sockets of the host,
 * without privileges.
 *
 * The guest cannot reach the host's loopback: passt runs with the option that disables its mapping
 * of the gateway address. The one exception is the host's first resolver, wherever it is, at
 * `GUEST_NETWORK.nameserver`: its ports 53 and 853 alone. Published ports are sockets of passt, so
 * they outlive the server.
 *
 * @module
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { createServer, isIPv6 } from 'node:net';
import { dirname } from 'node:path';
import { retry } from '../../async/retry.ts';
import { A3sError } from '../../errors.ts';
import { jailGroup } from '../../jail/identity.ts';
import type { JailIdentity, JailProgram } from '../../jail/jail.ts';
import { portOptions } from '../../jail/passt-ports.ts';
import { jailFeatures } from '../../jail/spawn.ts';
import { findTool } from '../../jail/tools.ts';
import { deadline } from '../deadline.ts';
import { GUEST_NETWORK } from '../network.ts';
import type { Nic, PortForward } from '../vm/devices.ts';
import type { VmSpec } from '../vm/vm-spec.ts';
import { Helper } from './helper.ts';
import { listensRenamed } from './listening.ts';

/**
 * The address of the metadata service, where clouds serve a VM its credentials. The agent's route
 * keeps the box's programs from all of 169.254/16. This mapping keeps a compromised guest kernel
 * from this one address: passt then connects to the guest's own address as the host sees it,
 * 10.0.2.15. A VM with that address in the host's network cannot be reached otherwise, and is not
 * the metadata service. The mapping needs an address that can belong to somebody: until the guest's
 * first packet, passt delivers to it.
 */
const METADATA_ADDRESS = '169.254.169.254';
const RESOLVER = '/etc/resolv.conf';
const FIRST_ORDINARY_PORT = 1024;
const READY_MS = 10_000;
/** Its tables and buffers are 200 MB. */
const DATA_BYTES = 2 ** 30;
/** It is one process; for root its user is that of the VMM, whose threads count together. */
const PROCESSES = 4096;
/**
 * passt sees the runtime directory below this path. Debian's AppArmor profile lets passt write
 * sockets only below /tmp and the user's home, and matches the names that passt itself sees.
 */
const RENAMED = '/tmp';

export function passtSocket(runtimeDir: string): string {
  return `${runtimeDir}/passt.sock`;
}

export function passtArguments(socket: string, ports: readonly PortForward[]): string[] {
  return [
    '--foreground',
    '--quiet',
    // passt ends when the VMM closes the socket, also when no server is there to end it.
    '--one-off',
    '--ipv4-only',
    '--socket',
    socket,
    '--address',
    GUEST_NETWORK.address,
    '--netmask',
    String(GUEST_NETWORK.prefixLength),
    '--gateway',
    GUEST_NETWORK.gateway,
    '--mtu',
    String(GUEST_NETWORK.mtu),
    '--no-map-gw',
    '--map-guest-addr',
    METADATA_ADDRESS,
    '--dns-forward',
    GUEST_NETWORK.nameserver,
    ...portOptions(ports),
  ];
}

/**
 * Starts the translator of a VM that needs one: none without a card, and none for one with a tap
 * device or for one that leads nowhere.
 */
export function startTranslator(
  { nic, runtimeDir, identity }: Pick<VmSpec, 'nic' | 'runtimeDir' | 'identity'>,
  signal: AbortSignal,
): Promise<Helper>[] {
  if (nic === undefined || nic.tap !== undefined || nic.idle === true) return [];
  return [startPasst(nic, runtimeDir, identity, signal)];
}

/**
 * Starts passt and waits until it listens.
 *
 * @param path of what is started; absent: passt
 * @throws A3sError `port-in-use` when a published port is taken, `tool-missing`, `vmm-failed`
 */
export async function startPasst(
  nic: Pick<Nic, 'ports'>,
  runtimeDir: string,
  identity: JailIdentity,
  signal: AbortSignal,
  path?: string,
): Promise<Helper> {
  const lowPorts =
    process.geteuid?.() === 0 && nic.ports.some((port) => port.hostPort < FIRST_ORDINARY_PORT);
  const renamed = !lowPorts && (await jailFeatures()).namespaces;
  const place = renamed ? `${RENAMED}${runtimeDir}` : runtimeDir;
  const socket = passtSocket(place);
  const resolver = await exists(RESOLVER);
  const program: Omit<JailProgram, 'stdio' | 'outlives'> = {
    path: path ?? (await findTool('passt')),
    args: passtArguments(socket, nic.ports),
    identity,
    group: jailGroup(runtimeDir),
    writable: renamed ? [] : [runtimeDir],
    binds: renamed ? [{ source: runtimeDir, target: place, readonly: false }] : [],
    readable: resolver ? [RESOLVER] : [],
    network: true,
    confinesItself: true,
    lowPorts,
    filter: { memoryFiles: false, confinesItself: true },
    // Every connection of the guest is a descriptor. passt raises its soft limit to the hard one.
    // It writes to sockets and pipes alone.
    limits: { openFiles: 65_536, fileBytes: 0, dataBytes: DATA_BYTES, processes: PROCESSES },
  };
  const helper = await Helper.start('passt', program);
  const waiting = AbortSignal.any([
    signal,
    helper.ended,
    deadline(READY_MS, 'vmm-failed', 'passt did not listen'),
  ]);
  try {
    await retry(() => listensRenamed(socket, passtSocket(runtimeDir), identity.uid), waiting);
    return helper;
  } catch (error) {
    helper.release();
    signal.throwIfAborted();
    throw explain(helper, error, runtimeDir);
  }
}

/**
 * Checks that each port can be published by binding it. A port that is taken is found before
 * anything is started.
 *
 * @throws A3sError `port-in-use`, `unsupported-option` for an IPv6 address, or `invalid-argument`
 * for an address that is not the host's
 */
export async function checkPort({ hostIp, hostPort, protocol }: PortForward): Promise<void> {
  expectIpv4({ hostIp, hostPort });
  if (protocol === 'udp') {
    await bindUdp(hostIp, hostPort);
    return;
  }
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: hostIp, port: hostPort, exclusive: true }, resolve);
  }).catch((error: NodeJS.ErrnoException) => {
    throw portError(hostIp, hostPort, error);
  });
  await new Promise((resolve) => server.close(resolve));
}

/** @throws A3sError `unsupported-option` for an IPv6 address */
function expectIpv4({ hostIp, hostPort }: Pick<PortForward, 'hostIp' | 'hostPort'>): void {
  if (!isIPv6(hostIp)) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot publish [${hostIp}]:${hostPort}: a box's network is IPv4 alone`,
    { remedy: 'Publish at an IPv4 address, such as 127.0.0.1 or 0.0.0.0.' },
  );
}

async function bindUdp(address: string, port: number): Promise<void> {
  const socket = createSocket('udp4');
  try {
    socket.bind({ address, port, exclusive: true });
    await once(socket, 'listening');
  } catch (error) {
    throw portError(address, port, error as NodeJS.ErrnoException);
  } finally {
    socket.close();
  }
}

function portError(hostIp: string, hostPort: number, error: NodeJS.ErrnoException): A3sError {
  const where = `${hostIp}:${hostPort}`;
  if (error.code === 'EADDRINUSE') {
    return new A3sError('port-in-use', `Cannot publish ${where}: the port is already in use`, {
      remedy: 'Stop what listens there, or publish another port.',
      cause: error,
    });
  }
  if (error.code === 'EACCES') {
    return new A3sError('invalid-argument', `Cannot publish ${where}: ports below 1024 need root`, {
      remedy: 'Publish a port from 1024 up.',
      cause: error,
    });
  }
  return new A3sError('invalid-argument', `Cannot publish ${where}: ${error.message}`, {
    cause: error,
  });
}

function explain(helper: Helper, error: unknown, runtimeDir: string): unknown {
  if (helper.lastLine.includes('Failed to bind UNIX domain socket: Permission denied')) {
    return new A3sError('vmm-failed', `Cannot start passt: it may not write into ${runtimeDir}`, {
      remedy: `If AppArmor confines passt here, add "owner ${dirname(runtimeDir)}/** rw," to its profile, or publish no port below ${FIRST_ORDINARY_PORT}.`,
      cause: error,
    });
  }
  // Another process took the port between the check and now.
  const taken = /Failed to bind port (\d+) \(Address already in use\)/.exec(helper.lastLine)?.[1];
  if (taken === undefined) return error;
  return new A3sError('port-in-use', `Cannot publish port ${taken}: the port is already in use`, {
    remedy: 'Stop what listens there, or publish another port.',
    cause: error,
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
