/**
 * Makes the two documents of a start from a record: the microVM for the engine, and the box spec for the agent.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BOX_SPEC_SCHEMA, BoxSpec } from '@a3s-box/policies';
import { settleAll } from '../../async/settle-all.ts';
import { type Disk, TEMPLATE_SLOTS, type VmSpec } from '../../engine/engine.ts';
import { GUEST_NETWORK } from '../../engine/network.ts';
import { A3sError } from '../../errors.ts';
import type { Image } from '../../images/image.ts';
import type { TakenTemplate } from '../../templates/templates.ts';
import { bindPaths } from '../create/binds.ts';
import { changesLayers } from '../disks/backing-chain.ts';
import {
  changesPath,
  copyChangesDisk,
  ensureChangesDisk,
  hasChangesDisk,
} from '../disks/writable-layer.ts';
import { type BoxDefinition, commandOf, directoryOf, type Port } from '../record/box.ts';
import type { Runtime } from '../runtime.ts';
import { confinementOf } from '../spec/confinement/confinement.ts';
import { processEnvironment } from '../spec/environment.ts';
import { memoryMounts } from '../spec/memory-mounts.ts';
import { askedCpus, hostLimitsOf, resourcesOf, vmCpus, vmMemory } from '../spec/resources.ts';
import { sysctlsOf } from '../spec/sysctls.ts';
import { volumeDirectories } from '../spec/volumes.ts';
import { depthOf, type MountedVolumes } from './mount-volumes.ts';

/** Serial of a used writable layer, in a microVM whose template has a writable layer of its own. */
const KEPT_SERIAL = 'changes-kept';
/**
 * The file name, in the runtime directory, of the copy of the template's writable layer, which such a microVM stops
 * using at once.
 */
const THROWAWAY = 'changes.slot';

/** What every start of a box needs, whatever its source. */
export interface Found {
  readonly boot: VmSpec['boot'];
  readonly layers: readonly Disk[];
  readonly shares: VmSpec['shares'];
  readonly mounts: BoxSpec['mounts'];
  /** The box has a writable layer, from an earlier run or of a size of its own, so a template's is not used. */
  readonly keptChanges: boolean;
}

/** Finds the parts. Makes missing host paths that the box binds, and a writable layer that has a size of its own. */
export async function findParts(
  rt: Pick<Runtime, 'home' | 'boot' | 'images'>,
  { id, identity, bootSet, binds, storage }: BoxDefinition,
  image: Image,
  volumes: Pick<MountedVolumes, 'shares' | 'mounts'>,
): Promise<Found> {
  const [boot, layers, { shares, mounts }, keptChanges] = await settleAll([
    rt.boot.open(bootSet),
    rt.images.bootLayers(image),
    bindPaths(binds),
    keepsChanges(changesPath(rt, id), identity, storage?.bytes),
  ]);
  return {
    boot,
    layers: layers.map(({ path }, index) => ({ path, serial: `layer-${index}`, readonly: true })),
    shares: [...shares, ...volumes.shares],
    mounts: [...mounts, ...volumes.mounts].sort(byDepth),
    keptChanges,
  };
}

/** @returns whether the writable layer is there before the microVM is. Only one of the usual size comes with a template. */
async function keepsChanges(
  path: string,
  identity: BoxDefinition['identity'],
  bytes: number | undefined,
): Promise<boolean> {
  if (bytes === undefined) return await hasChangesDisk(path);
  await ensureChangesDisk(path, identity, bytes);
  return true;
}

/** A mount does not hide another that lies below it. */
function byDepth(a: BoxSpec['mounts'][number], b: BoxSpec['mounts'][number]): number {
  return depthOf(a.destination) - depthOf(b.destination);
}

/** The disks for the box's changes. */
export interface ChangesDisks {
  readonly disks: readonly Disk[];
  /** The serial of the box's writable layer. */
  readonly serial: string;
  /** The file of a disk that is not needed once the microVM has it open. */
  readonly throwaway: string | undefined;
}

/** Makes the disks that do not exist. */
export async function changesDisks(
  rt: Pick<Runtime, 'home'>,
  { id, identity }: BoxDefinition,
  {
    found,
    directory,
    taken,
  }: { found: Found; directory: string; taken: TakenTemplate | undefined },
): Promise<ChangesDisks> {
  const path = changesPath(rt, id);
  const layers = found.keptChanges ? await changesLayers(path) : { path };
  const own = (serial: string): Disk => ({ ...layers, serial, readonly: false });
  const { changes } = TEMPLATE_SLOTS;
  if (taken === undefined) {
    await ensureChangesDisk(path, identity);
    return { disks: [own(changes)], serial: changes, throwaway: undefined };
  }
  if (!found.keptChanges) {
    await copyChangesDisk(path, taken, identity);
    return { disks: [own(changes)], serial: changes, throwaway: undefined };
  }
  const throwaway = join(directory, THROWAWAY);
  await rm(throwaway, { force: true });
  await taken.writeChanges(throwaway, identity);
  const slot = { path: throwaway, serial: changes, readonly: false };
  return { disks: [slot, own(KEPT_SERIAL)], serial: KEPT_SERIAL, throwaway };
}

/** Describes the microVM and the box, and makes nothing. @param given.ports with their real numbers */
export function describeVm(
  definition: BoxDefinition,
  given: {
    readonly found: Found;
    readonly directory: string;
    readonly ports: readonly Port[];
    readonly changes: ChangesDisks;
    readonly taken: TakenTemplate | undefined;
  },
): { vm: VmSpec; spec: BoxSpec } {
  const { found, directory, ports, changes, taken } = given;
  const mac = macAddress(definition.id);
  const nic = definition.network === 'none' ? undefined : { mac, ports: ports.map(forward) };
  const vm: VmSpec = {
    id: definition.id,
    runtimeDir: directory,
    identity: definition.identity,
    cpus: vmCpus(askedCpus(definition)),
    // What the box needs, and so what the host must have. A microVM from a template may have more RAM, but pages that
    // are not written take no memory. The box's limit in the guest is this size less the guest's share.
    memoryBytes: vmMemory(definition.memoryBytes),
    boot: found.boot,
    disks: [...found.layers, ...changes.disks],
    nic,
    shares: found.shares,
    template: taken?.template,
    hostLimits: hostLimitsOf(definition),
  };
  const spec = BoxSpec.parse(
    specDocument(definition, {
      layers: found.layers.map(({ serial }) => ({ serial })),
      changes: { kind: 'disk', serial: changes.serial },
      mounts: found.mounts,
      network: nic === undefined ? { kind: 'none' } : guestNic(mac),
    }),
  );
  return { vm, spec };
}

/** The fields of a definition that the box spec contains. */
export type Described = Pick<
  BoxDefinition,
  | 'hostname'
  | 'entrypoint'
  | 'cmd'
  | 'env'
  | 'cwd'
  | 'user'
  | 'terminal'
  | 'openStdin'
  | 'memoryBytes'
  | 'nanoCpus'
  | 'limits'
  | 'security'
  | 'size'
> &
  Partial<
    Pick<
      BoxDefinition,
      'init' | 'volumes' | 'binds' | 'volumeMounts' | 'tmpfs' | 'shmBytes' | 'readonlyRootfs'
    >
  >;

/** The box spec, from the record and from what the host found for it. */
export function specDocument(
  definition: Described,
  found: Pick<BoxSpec['rootfs'], 'layers' | 'changes'> & Pick<BoxSpec, 'mounts' | 'network'>,
): BoxSpec {
  return {
    schema: BOX_SPEC_SCHEMA,
    hostname: definition.hostname,
    rootfs: {
      layers: found.layers,
      changes: found.changes,
      readonly: definition.readonlyRootfs === true,
    },
    process: mainProcess(definition),
    mounts: found.mounts,
    network: found.network,
    confinement: confinementOf(definition.security),
    ...kernelOf(definition.security),
    resources: resourcesOf(definition),
    ...(definition.init === true ? { init: true } : {}),
    ...volumeDirectories(definition),
    ...memoryMounts(definition),
  };
}

/** Domain and settings of the kernel, where there are any. */
function kernelOf({ domainname, sysctls }: Described['security']) {
  const settings = sysctlsOf(sysctls, domainname);
  return {
    ...(domainname === '' ? {} : { domainname }),
    ...(settings.length === 0 ? {} : { sysctls: [...settings] }),
  };
}

/** The main process of the box. */
export function mainProcess(
  definition: Omit<Described, 'memoryBytes' | 'nanoCpus' | 'limits' | 'security'>,
): BoxSpec['process'] {
  return {
    args: commandOf(definition),
    env: processEnvironment(definition.hostname, definition.terminal, definition.env),
    cwd: directoryOf(definition),
    user: definition.user,
    terminal: definition.terminal,
    ...(definition.size === undefined ? {} : { size: definition.size }),
    stdin: definition.openStdin,
  };
}

/** The network card, as the box spec describes it. */
export function guestNic(mac: string): BoxSpec['network'] {
  const { address, prefixLength, gateway, nameserver, mtu } = GUEST_NETWORK;
  const resolver = { nameservers: [nameserver], search: [] };
  return { kind: 'nic', mac, mtu, address, prefixLength, gateway, ...resolver };
}

/** A published port, as the engine describes it. */
export function forward(port: Port): {
  hostIp: string;
  hostPort: number;
  boxPort: number;
  protocol: 'tcp';
} {
  return { ...port, protocol: 'tcp' };
}

/** The MAC address of a box: locally administered, and the same for all its runs. */
export function macAddress(id: string): string {
  const digits = createHash('sha256').update(`mac ${id}`).digest('hex').slice(0, 10);
  return ['02', ...(digits.match(/../g) ?? [])].join(':');
}

/** Makes the directory anew, for its user alone. */
export async function makeRuntimeDirectory(
  path: string,
  identity: VmSpec['identity'],
): Promise<void> {
  await rm(path, { recursive: true, force: true });
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (cause) {
    throw new A3sError('state-unusable', `Cannot make ${path}`, { cause });
  }
  await chmod(path, 0o700);
  if (process.geteuid?.() === 0) await chown(path, identity.uid, identity.gid);
}
