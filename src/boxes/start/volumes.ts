/**
 * The volumes of a box at its start: what the engine shares, and which of them the agent fills from the image.
 *
 * @module
 */
import type { BoxSpec } from '@a3s-box/policies';
import type { Share } from '../../engine/engine.ts';
import type { MountedVolume } from '../../volumes/volumes.ts';
import type { Box, VolumeMount } from '../record/box.ts';
import type { Runtime } from '../runtime.ts';

export interface MountedVolumes {
  readonly shares: readonly Share[];
  readonly mounts: BoxSpec['mounts'];
  /** The guest has its spec, and so has filled what was to be filled. No process of the box runs yet. */
  filled(): Promise<void>;
  /** The start has succeeded or failed. */
  release(): void;
}

/**
 * A volume that is mounted read-only is not filled: nothing of the box may write to it, the agent neither.
 *
 * @throws A3sError `no-such-volume`
 */
export async function mountVolumes(
  { volumes }: Pick<Runtime, 'volumes'>,
  { definition: { id, volumeMounts }, state: { startedAt } }: Box,
): Promise<MountedVolumes> {
  const mounted = new Map<string, MountedVolume>();
  const release = (): void => {
    for (const { fill } of mounted.values()) fill?.release();
  };
  try {
    const isFirst = startedAt === undefined;
    // In one order everywhere: two starts never wait for each other.
    for (const name of [...new Set(volumeMounts.map((mount) => mount.name))].sort()) {
      const isFillable = volumeMounts.some((mount) => mount.name === name && takesFiles(mount));
      mounted.set(name, await volumes.mount(name, { box: id, isFirst, isFillable }));
    }
  } catch (error) {
    release();
    throw error;
  }
  const unfilled = new Set([...mounted].flatMap(([name, { fill }]) => (fill ? [name] : [])));
  const placed = [...volumeMounts].sort((a, b) => depthOf(a.destination) - depthOf(b.destination));
  const shares: Share[] = [];
  const mounts: BoxSpec['mounts'] = [];
  for (const [index, mount] of placed.entries()) {
    const { name, destination, readonly } = mount;
    const tag = `volume-${index}`;
    const path = mounted.get(name)?.path ?? '';
    shares.push({ tag, path, readonly, resolved: true });
    // At the outermost of its places that take files.
    const fill = takesFiles(mount) && unfilled.delete(name);
    mounts.push({ kind: 'virtiofs', tag, destination, readonly, ...(fill ? { fill } : {}) });
  }
  return {
    shares,
    mounts,
    release,
    filled: async () => {
      for (const { fill } of mounted.values()) await fill?.done();
      release();
    },
  };
}

function takesFiles({ readonly, noCopy }: VolumeMount): boolean {
  return !readonly && !noCopy;
}

/** How many directories a path has above it. */
export function depthOf(path: string): number {
  return path.split('/').filter((name) => name !== '').length;
}
