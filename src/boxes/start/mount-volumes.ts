/**
 * The volumes of a box at its start: what the engine shares, and which of them the agent fills from
 * the image.
 *
 * @module
 */
import type { BoxSpec } from '@a3s-box/policies';
import { type Disk, SHARED_FILE, type Share } from '../../engine/vm/devices.ts';
import { A3sError } from '../../errors.ts';
import { partOf } from '../../volumes/part.ts';
import type { MountedVolume } from '../../volumes/volumes.ts';
import type { Box, VolumeMount } from '../record/box.ts';
import type { RunServices } from '../run/run-services.ts';
import type { Services } from '../services/services.ts';

export interface MountedVolumes {
  readonly shares: readonly Share[];
  readonly disks: readonly Disk[];
  readonly mounts: BoxSpec['mounts'];
  /**
   * The guest has its spec, and so has filled what was to be filled. No process of the box runs
   * yet.
   */
  filled(): Promise<void>;
  /** The start has failed and its guest has ended: removes what was filled so far. */
  discard(): Promise<void>;
  /** The start has succeeded or failed. */
  release(): void;
}

/**
 * A volume that is mounted read-only is not filled: nothing of the box may write to it, the agent
 * neither.
 *
 * @throws A3sError `no-such-volume`, `volume-in-use` for a disk; `volume-empty` for a sealed one;
 * `bind-source-missing` and `invalid-argument` for a part of a directory
 */
export async function mountVolumes(
  { volumes }: Pick<Services, 'volumes'>,
  { definition: { id, volumeMounts }, state: { startedAt } }: Box,
): Promise<MountedVolumes> {
  const mounted = new Map<string, MountedVolume>();
  const release = (): void => {
    for (const { fill } of mounted.values()) fill?.release();
  };
  let placed: Placed;
  try {
    const isFirst = startedAt === undefined;
    // In one order everywhere: two starts never wait for each other.
    for (const name of [...new Set(volumeMounts.map((mount) => mount.name))].sort()) {
      const isFillable = volumeMounts.some((mount) => mount.name === name && takesFiles(mount));
      const isSealed = volumeMounts.some((mount) => mount.name === name && mount.sealed);
      mounted.set(name, await volumes.mount(name, { box: id, isFirst, isFillable, isSealed }));
    }
    placed = await place(volumeMounts, mounted, isFirst);
  } catch (error) {
    release();
    throw error;
  }
  return {
    ...placed,
    release,
    filled: async () => {
      for (const { fill } of mounted.values()) await fill?.done();
      release();
    },
    discard: async () => {
      for (const { fill } of mounted.values()) await fill?.discard();
    },
  };
}

/**
 * Removes what a guest has filled that has ended, and says what the failure of the start was: a
 * directory that a guest cannot fill is on the disk of the host.
 *
 * What cannot be removed is left for the next fill, and does not hide the failure.
 */
export async function undoFill(
  rt: Pick<RunServices, 'log'>,
  id: string,
  volumes: MountedVolumes,
  failure: unknown,
): Promise<unknown> {
  try {
    await volumes.discard();
  } catch (error) {
    rt.log.error('what was filled of a volume was not removed', error, { box: id });
  }
  const filled = volumes.mounts.filter((mount) => mount.kind !== 'image' && mount.fill === true);
  const isFull = failure instanceof A3sError && failure.code === 'box-disk-full';
  if (!isFull || filled.some(({ kind }) => kind === 'disk')) return failure;
  return new A3sError('disk-full', failure.message, { cause: failure });
}

type Placed = Pick<MountedVolumes, 'shares' | 'disks' | 'mounts'>;

async function place(
  volumeMounts: readonly VolumeMount[],
  mounted: ReadonlyMap<string, MountedVolume>,
  isFirst: boolean,
): Promise<Placed> {
  const unfilled = new Set(
    [...mounted].flatMap(([name, { fill, isDisk }]) =>
      fill !== undefined || (isDisk && isFirst) ? [name] : [],
    ),
  );
  const disks = disksOf(volumeMounts, mounted);
  const sorted = [...volumeMounts].sort((a, b) => depthOf(a.destination) - depthOf(b.destination));
  const shares: Share[] = [];
  const mounts: BoxSpec['mounts'] = [];
  for (const [index, mount] of sorted.entries()) {
    const { name, destination, readonly, subpath } = mount;
    // At the outermost of its places that take files.
    const fill = takesFiles(mount) && unfilled.delete(name);
    const disk = disks.get(name);
    if (disk !== undefined) {
      mounts.push({
        ...{ kind: 'disk', serial: disk.serial, destination, readonly },
        ...(subpath === undefined ? {} : { subpath }),
        ...(fill ? { fill } : {}),
      });
      continue;
    }
    const tag = `volume-${index}`;
    const { path, isFile } = await partOf(mounted.get(name)?.path ?? '', subpath);
    shares.push({ tag, path, readonly, resolved: true });
    mounts.push({
      ...{ kind: 'virtiofs', tag, destination, readonly },
      ...(isFile ? { file: SHARED_FILE } : {}),
      ...(fill ? { fill } : {}),
    });
  }
  return { shares, disks: [...disks.values()], mounts };
}

/**
 * Each disk once, however often it is mounted. The VMM does not write to one that is mounted
 * read-only everywhere.
 */
function disksOf(
  volumeMounts: readonly VolumeMount[],
  mounted: ReadonlyMap<string, MountedVolume>,
): ReadonlyMap<string, Disk> {
  const names = [...mounted].filter(([, { isDisk }]) => isDisk).map(([name]) => name);
  return new Map(
    names.map((name, index) => {
      const own = volumeMounts.filter((mount) => mount.name === name);
      const path = mounted.get(name)?.path ?? '';
      const readonly = own.every((mount) => mount.readonly);
      return [name, { path, serial: `volume-${index}`, readonly }];
    }),
  );
}

/** A part of a volume has to be there already, so that volume is not a new one. */
function takesFiles({ readonly, noCopy, subpath }: VolumeMount): boolean {
  return !readonly && !noCopy && subpath === undefined;
}

/** How many directories a path has above it. */
export function depthOf(path: string): number {
  return path.split('/').filter((name) => name !== '').length;
}
