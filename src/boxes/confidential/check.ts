/**
 * Refuses, before anything is made, what a confidential box cannot have.
 *
 * @module
 */
import { isIPv4 } from 'node:net';
import { A3sError } from '../../errors.ts';
import type { Bind, BoxDefinition, VolumeMount } from '../record/box.ts';
import type { ConfidentialRequest } from '../record/confidential-request.ts';
import type { Limits } from '../record/limits.ts';
import { asksForHost, HOST_GATEWAY } from '../spec/resolver.ts';
import { boxMemory } from '../spec/resources.ts';
import { type AskedNetworks, checkHostNetworks } from './host-networks.ts';

/** The parts of a request that a confidential box may not have. */
export interface CheckedParts
  extends Pick<BoxDefinition, 'storage' | 'limits' | 'memoryBytes' | 'security' | 'names'>,
    AskedNetworks {
  readonly ownLinkLocal?: BoxDefinition['ownLinkLocal'] | readonly string[] | undefined;
  readonly ports: readonly unknown[];
  readonly env: readonly string[];
  readonly binds: readonly Pick<Bind, 'source' | 'destination'>[];
  readonly volumeMounts: readonly Pick<VolumeMount, 'destination' | 'sealed'>[];
  readonly imageMounts: readonly { readonly reference: string; readonly destination: string }[];
}

/**
 * Refuses by name what a confidential box cannot have.
 *
 * @throws A3sError `unsupported-option`, `invalid-argument`
 */
export function checkConfidential(request: CheckedParts, asked: ConfidentialRequest): void {
  const [mount] = [
    ...request.binds,
    ...request.volumeMounts.filter(({ sealed }) => sealed === undefined),
  ];
  if (mount !== undefined) {
    const kind = 'source' in mount ? 'bind mount' : 'volume';
    throw new A3sError(
      'unsupported-option',
      `Cannot create the box: the ${kind} ${mount.destination} is not supported for a confidential box: the host could read and change what is in it`,
      {
        remedy:
          'Use a sealed volume (-v NAME:PATH:sealed,init), put files into the image, or inject secrets.',
      },
    );
  }
  const [other] = request.imageMounts;
  if (other !== undefined) {
    throw new A3sError(
      'unsupported-option',
      `Cannot create the box: the image ${other.reference} at ${other.destination} is not supported for a confidential box: no launch spec names other images than its own`,
      { remedy: 'Leave out --mount type=image: put the files into the image.' },
    );
  }
  checkStorage(request, asked);
  checkHostNetworks(request, asked);
  checkRates(request.limits, asked.changes);
  checkServers(request);
  checkHosts(request);
  checkLinkLocal(request);
  checkIpc(request);
  checkPrivileged(request, asked);
  for (const { name, variable } of asked.secrets) {
    if (variable === undefined || !request.env.some((entry) => isNamed(entry, variable))) continue;
    throw new A3sError(
      'invalid-argument',
      `Cannot create the box: the secret ${name} becomes the variable ${variable}, which has a value already`,
      { remedy: `Leave out -e ${variable}, or the secret's variable.` },
    );
  }
}

/** @throws A3sError `invalid-argument` */
function checkStorage(
  { storage, memoryBytes }: Pick<CheckedParts, 'storage' | 'memoryBytes'>,
  { changes }: Pick<ConfidentialRequest, 'changes'>,
): void {
  const most = Math.floor(boxMemory(memoryBytes) / 2);
  if (storage === undefined || changes !== 'memory' || storage.bytes <= most) return;
  throw new A3sError(
    'invalid-argument',
    `Cannot create the box: a writable layer of ${storage.bytes} bytes is more than half of its memory, ${most} bytes, in which it keeps its changes`,
    { remedy: 'Add --changes encrypted-disk, or more --memory.' },
  );
}

/** @throws A3sError `unsupported-option` */
function checkLinkLocal({ ownLinkLocal }: Pick<CheckedParts, 'ownLinkLocal'>): void {
  if (ownLinkLocal === undefined) return;
  throw new A3sError(
    'unsupported-option',
    'Cannot create the box: LinkLocalIPs is not supported for a confidential box: its addresses are constants of its agent, and none is the host’s to choose',
    { remedy: 'Leave the option out.' },
  );
}

/** @throws A3sError `unsupported-option` */
function checkIpc({ security }: Pick<CheckedParts, 'security'>): void {
  if (security.ipcMode !== 'none') return;
  throw new A3sError(
    'unsupported-option',
    'Cannot create the box: IpcMode none is not supported for a confidential box: launch specs have no word for a box without /dev/shm',
    { remedy: 'Leave --ipc out: the namespace is the box’s own.' },
  );
}

/**
 * Its network is IPv4 alone, and its launch spec names what it asks.
 *
 * @throws A3sError `unsupported-option`
 */
function checkServers({ names, network }: Pick<CheckedParts, 'names' | 'network'>): void {
  const other = names.servers.find((server) => !isIPv4(server));
  if (other === undefined || network === 'none') return;
  throw new A3sError(
    'unsupported-option',
    `Cannot create the box: HostConfig.Dns is not supported for a confidential box: ${other}: it has no IPv6 to ask a server by`,
    { remedy: 'Name servers at IPv4 addresses.' },
  );
}

/**
 * An address that this host has would make the launch spec another one on every host.
 *
 * @throws A3sError `unsupported-option`
 */
function checkHosts({ names }: Pick<CheckedParts, 'names'>): void {
  if (!asksForHost(names)) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot create the box: ExtraHosts: ${HOST_GATEWAY} is not supported for a confidential box: its launch spec has addresses, and none that each host chooses`,
    { remedy: 'Give the address itself.' },
  );
}

/**
 * The processor's keys depend on the launch digest and not on HOST_DATA, so each privileged
 * workload can ask for the keys of every other one.
 *
 * @throws A3sError `unsupported-option`
 */
function checkPrivileged(
  { security, volumeMounts }: CheckedParts,
  { sealing }: ConfidentialRequest,
): void {
  if (!security.privileged || (sealing === 'none' && volumeMounts.length === 0)) return;
  const what = sealing === 'none' ? 'sealed volumes' : '--sealing';
  throw new A3sError(
    'unsupported-option',
    `Cannot create the box: ${what} is not supported for a privileged confidential box: other privileged boxes could get its keys`,
    { remedy: 'Leave out --privileged, or what is sealed.' },
  );
}

/**
 * A box that keeps its changes in memory has no writable disk whose rates the host could limit.
 *
 * @throws A3sError `unsupported-option`
 */
export function checkRates({ disk }: Limits, changes: ConfidentialRequest['changes']): void {
  if (changes !== 'memory' || Object.values(disk).every((rate: number) => rate === 0)) return;
  throw new A3sError(
    'unsupported-option',
    'Cannot limit what the box reads and writes of its writable layer: it has none, and keeps its changes in memory',
    { remedy: 'Leave out --device-read-bps and its like, or keep changes on an encrypted disk.' },
  );
}

function isNamed(entry: string, variable: string): boolean {
  return entry === variable || entry.startsWith(`${variable}=`);
}
