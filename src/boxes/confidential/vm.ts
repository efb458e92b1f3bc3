/**
 * Describes the microVM of a confidential box: what is measured, and the disks that the guest
 * verifies.
 *
 * @module
 */
import { chown, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LaunchSpec } from '@a3s-box/policies';
import type { ConfidentialBoot } from '../../boot/bootset.ts';
import type { ConfidentialLaunch } from '../../engine/vm/confidential-launch.ts';
import type { Disk } from '../../engine/vm/devices.ts';
import type { VmSpec } from '../../engine/vm/vm-spec.ts';
import { A3sError } from '../../errors.ts';
import type { Image, VerityLayer } from '../../images/image.ts';
import { BLANK_DISK_BYTES } from '../../templates/blank-disk.ts';
import type { Box, BoxDefinition } from '../record/box.ts';
import { type ConfidentialDefinition, hostDataOfBox } from '../record/confidential.ts';
import { boxDirectory, runtimeDirectory } from '../record/directories.ts';
import type { Services } from '../services/services.ts';
import { askedCpus, hostLimitsOf, vmCpus, vmMemory } from '../spec/resources.ts';
import { encryptedDiskBytes } from './encrypted-disk.ts';
import { confidentialBoot } from './launch-plan.ts';
import { commandLineOf } from './measurement.ts';

/** Serial of the writable layer's disk, which is encrypted with a key that only the guest has. */
const CHANGES = 'changes';
const CHANGES_FILE = 'changes.raw';
/** What the simulated processor knows of the guest that it launched. */
const GUEST_STATE = 'processor.json';

export interface ConfidentialParts {
  readonly boot: ConfidentialBoot;
  readonly layers: readonly VerityLayer[];
}

/**
 * Finds what the box starts from, and checks that its layers are those of its launch spec. The
 * guest would find a difference too, and end.
 *
 * @throws A3sError `boot-set-missing`, `verity-mismatch`
 */
export async function findConfidential(
  rt: Pick<Services, 'boot' | 'images'>,
  { bootSet, confidential }: BoxDefinition & { readonly confidential: ConfidentialDefinition },
  image: Image,
): Promise<ConfidentialParts> {
  const boot = await confidentialBoot(rt, bootSet);
  const layers = await rt.images.verityLayers(image);
  const { rootfs } = LaunchSpec.parse(JSON.parse(confidential.launchSpec));
  const roots = (list: Readonly<LaunchSpec['rootfs']['layers']>): string =>
    list.map(({ diffId, bytes, root }) => `${diffId} ${bytes} ${root}`).join('\n');
  if (roots(layers) === roots(rootfs.layers)) return { boot, layers };
  throw new A3sError(
    'verity-mismatch',
    'Cannot start the box: the layers of its image are not those that its launch spec names',
    { remedy: 'Create the box again: its launch spec then names the layers as they are now.' },
  );
}

/** The file in which the simulated secure processor keeps what it launched. */
export function guestStatePath(rt: Pick<Services, 'home'>, id: string): string {
  return join(boxDirectory(rt, id), GUEST_STATE);
}

/** What the engine launches the microVM with. */
export function confidentialLaunch(
  rt: Pick<Services, 'home'>,
  id: string,
  definition: ConfidentialDefinition,
  boot: ConfidentialBoot,
): ConfidentialLaunch {
  const { tee, identity } = definition;
  const { firmwarePath, vcpuType, policy } = boot;
  return {
    ...{ tee, firmwarePath, vcpuType, policy },
    hostData: Buffer.from(hostDataOfBox(definition), 'hex'),
    identity:
      identity === undefined
        ? undefined
        : {
            block: Buffer.from(identity.block, 'base64'),
            auth: Buffer.from(identity.auth, 'base64'),
          },
    guestStatePath: guestStatePath(rt, id),
  };
}

/**
 * Describes the microVM, and makes nothing.
 *
 * @param volumes the disks of sealed volumes
 * @param nics the cards, which lead where the host has them lead
 */
export function describeConfidential(
  rt: Pick<Services, 'home' | 'runtimeDir'>,
  { definition }: Box,
  confidential: ConfidentialDefinition,
  { boot, layers }: ConfidentialParts,
  volumes: readonly Disk[],
  nics: Pick<VmSpec, 'nic' | 'moreNics'>,
): VmSpec {
  const { id, identity, memoryBytes } = definition;
  const disks: Disk[] = layers.map(({ path }, index) => ({
    ...{ path, serial: `layer-${index}`, readonly: true },
  }));
  if (confidential.changes === 'encrypted-disk') {
    disks.push({ path: writableLayerPath(rt, id), serial: CHANGES, readonly: false });
  }
  disks.push(...volumes);
  const { kernelPath, initrdPath } = boot;
  return {
    ...{ id, identity, disks },
    runtimeDir: runtimeDirectory(rt, id),
    cpus: vmCpus(askedCpus(definition)),
    memoryBytes: vmMemory(memoryBytes),
    boot: { kernelPath, initrdPath, commandLine: commandLineOf(boot, confidential) },
    nic: nics.nic,
    moreNics: nics.moreNics,
    shares: [],
    hostLimits: hostLimitsOf(definition),
    confidential: confidentialLaunch(rt, id, confidential, boot),
  };
}

/**
 * Makes a disk of zeros, which takes no room yet. Its key ends with each guest, so the next guest
 * cannot use what the disk had.
 */
export async function renewChanges(
  rt: Pick<Services, 'home'>,
  { id, identity, storage }: Pick<BoxDefinition, 'id' | 'identity' | 'storage'>,
): Promise<void> {
  const { uid, gid } = identity;
  const path = writableLayerPath(rt, id);
  await rm(path, { force: true });
  const file = await open(path, 'wx', 0o600);
  try {
    await file.truncate(
      storage === undefined ? BLANK_DISK_BYTES : encryptedDiskBytes(storage.bytes),
    );
  } finally {
    await file.close();
  }
  if (process.geteuid?.() === 0) await chown(path, uid, gid);
}

function writableLayerPath(rt: Pick<Services, 'home'>, id: string): string {
  return join(boxDirectory(rt, id), CHANGES_FILE);
}
