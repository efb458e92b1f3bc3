/**
 * Makes the two documents of a start from a record: the microVM for the engine, and the box spec
 * for the agent.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BoxSpec } from '@a3s-box/policies';
import { settleAll } from '../../async/settle-all.ts';
import type { Disk } from '../../engine/vm/devices.ts';
import type { GuestBoot } from '../../engine/vm/guest-boot.ts';
import { TEMPLATE_SLOTS } from '../../engine/vm/slots.ts';
import type { VmSpec } from '../../engine/vm/vm-spec.ts';
import type { Image } from '../../images/image.ts';
import type { TakenTemplate } from '../../templates/templates.ts';
import { bindPaths } from '../create/binds.ts';
import { writableLayerFiles } from '../disks/backing-chain.ts';
import { finishReplacement } from '../disks/replace-writable-layer.ts';
import {
  copyWritableLayer,
  ensureWritableLayer,
  hasWritableLayer,
  writableLayerPath,
} from '../disks/writable-layer.ts';
import type { BoxDefinition } from '../record/box.ts';
import type { Services } from '../services/services.ts';
import { specDocument } from '../spec/box-spec.ts';
import { askedCpus, hostLimitsOf, vmCpus, vmMemory } from '../spec/resources.ts';
import type { JoinedNetwork } from './join-network.ts';
import { mostLayers } from './most-layers.ts';
import { mountImages } from './mount-images.ts';
import { depthOf, type MountedVolumes } from './mount-volumes.ts';

/** Serial of a used writable layer, in a microVM whose template has a writable layer of its own. */
const KEPT_SERIAL = 'changes-kept';
/**
 * The file name, in the runtime directory, of the copy of the template's writable layer, which such
 * a microVM stops using at once.
 */
const THROWAWAY = 'changes.slot';

/** The parts that every start of a box needs, from any source. */
export interface Found {
  readonly boot: GuestBoot;
  readonly layers: readonly Disk[];
  readonly shares: VmSpec['shares'];
  /** Of volumes, and of images that the box mounts. */
  readonly mountDisks: readonly Disk[];
  readonly mounts: BoxSpec['mounts'];
  /**
   * The box has a writable layer, from an earlier run or of a size of its own, so a template's is
   * not used.
   */
  readonly keptChanges: boolean;
}

/**
 * Finds the parts. Makes missing host paths that the box binds, and a writable layer that has a
 * size of its own.
 */
export async function findParts(
  rt: Pick<Services, 'home' | 'boot' | 'images'>,
  definition: BoxDefinition,
  image: Image,
  volumes: Pick<MountedVolumes, 'shares' | 'disks' | 'mounts'>,
): Promise<Found> {
  const { id, identity, bootSet, binds, imageMounts, storage } = definition;
  await finishReplacement(rt, id);
  const [boot, layers, { shares, mounts }, others, keptChanges] = await settleAll([
    rt.boot.open(bootSet),
    rt.images.bootLayers(image, mostLayers(definition, volumes)),
    bindPaths(binds),
    mountImages(rt, imageMounts),
    keepsChanges(writableLayerPath(rt, id), identity, storage?.bytes),
  ]);
  return {
    boot,
    layers: layers.map(({ path }, index) => ({ path, serial: `layer-${index}`, readonly: true })),
    shares: [...shares, ...volumes.shares],
    mountDisks: [...volumes.disks, ...others.disks],
    mounts: [...mounts, ...volumes.mounts, ...others.mounts].sort(byDepth),
    keptChanges,
  };
}

/**
 * @returns whether the writable layer is there before the microVM is. Only one of the usual size
 * comes with a template.
 */
async function keepsChanges(
  path: string,
  identity: BoxDefinition['identity'],
  bytes: number | undefined,
): Promise<boolean> {
  if (bytes === undefined) return await hasWritableLayer(path);
  await ensureWritableLayer(path, identity, bytes);
  return true;
}

/** A mount does not hide another that lies below it. */
function byDepth(a: BoxSpec['mounts'][number], b: BoxSpec['mounts'][number]): number {
  return depthOf(a.destination) - depthOf(b.destination);
}

/** The disks for the box's changes. */
export interface WritableDisks {
  readonly disks: readonly Disk[];
  /** The serial of the box's writable layer. */
  readonly serial: string;
  /** The file of a disk that is not needed once the microVM has it open. */
  readonly throwaway: string | undefined;
}

/** Makes the disks that do not exist. */
export async function writableDisks(
  rt: Pick<Services, 'home'>,
  { id, identity }: BoxDefinition,
  {
    found,
    directory,
    taken,
  }: { found: Found; directory: string; taken: TakenTemplate | undefined },
): Promise<WritableDisks> {
  const path = writableLayerPath(rt, id);
  const layers = found.keptChanges ? await writableLayerFiles(path) : { path };
  const own = (serial: string): Disk => ({ ...layers, serial, readonly: false });
  const { changes } = TEMPLATE_SLOTS;
  if (taken === undefined) {
    await ensureWritableLayer(path, identity);
    return { disks: [own(changes)], serial: changes, throwaway: undefined };
  }
  if (!found.keptChanges) {
    await copyWritableLayer(path, taken, identity);
    return { disks: [own(changes)], serial: changes, throwaway: undefined };
  }
  const throwaway = join(directory, THROWAWAY);
  await rm(throwaway, { force: true });
  await taken.writeChanges(throwaway, identity);
  const slot = { path: throwaway, serial: changes, readonly: false };
  return { disks: [slot, own(KEPT_SERIAL)], serial: KEPT_SERIAL, throwaway };
}

/** Describes the microVM and the box, and makes nothing. */
export function describeVm(
  definition: BoxDefinition,
  given: {
    readonly found: Found;
    readonly directory: string;
    readonly changes: WritableDisks;
    readonly taken: TakenTemplate | undefined;
    readonly joined: Pick<JoinedNetwork, 'nic' | 'network' | 'hosts'>;
  },
): { vm: VmSpec; spec: BoxSpec } {
  const { found, directory, changes, taken, joined } = given;
  const vm: VmSpec = {
    id: definition.id,
    engine: definition.engine?.name,
    runtimeDir: directory,
    identity: definition.identity,
    cpus: vmCpus(askedCpus(definition)),
    // What the box needs, and so what the host must have. A microVM from a template may have more
    // RAM, but pages that are not written take no memory. The box's limit in the guest is this size
    // less the guest's share.
    memoryBytes: vmMemory(definition.memoryBytes),
    boot: found.boot,
    disks: [...found.layers, ...changes.disks, ...found.mountDisks],
    nic: joined.nic,
    shares: found.shares,
    template: taken?.template,
    hostLimits: hostLimitsOf(definition),
  };
  const spec = BoxSpec.parse(
    specDocument(definition, {
      layers: found.layers.map(({ serial }) => ({ serial })),
      changes: { kind: 'disk', serial: changes.serial },
      mounts: found.mounts,
      network: joined.network,
      hosts: joined.hosts,
    }),
  );
  return { vm, spec };
}
