/**
 * The volumes of a box at its start: what the engine shares, and which of them the agent fills from the image.
 *
 * @module
 */
import type { BoxSpec } from '@a3s-box/policies';
import type { Share } from '../../engine/engine.ts';
import type { Fill } from '../../volumes/volumes.ts';
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
 * A volume that only reads is not filled: nothing of the box may write to it, the agent neither.
 *
 * @throws A3sError `no-such-volume`
 */
export async function mountVolumes(
  { volumes }: Pick<Runtime, 'volumes'>,
  { definition: { volumeMounts }, state: { startedAt } }: Box,
): Promise<MountedVolumes> {
  const fills = new Map<string, Fill>();
  const release = (): void => {
    for (const fill of fills.values()) fill.release();
  };
  try {
    const isFirst = startedAt === undefined;
    // In one order everywhere: two starts never wait for each other.
    for (const name of [...new Set(volumeMounts.map(({ name }) => name))].sort()) {
      const isWanted = volumeMounts.some((mount) => mount.name === name && isFillable(mount));
      const fill = await volumes.fill(name, { isFirst, isWanted });
      if (fill !== undefined) fills.set(name, fill);
    }
  } catch (error) {
    release();
    throw error;
  }
  const shares: Share[] = [];
  const mounts: BoxSpec['mounts'] = [];
  const pending = new Set(fills.keys());
  for (const [index, mount] of volumeMounts.entries()) {
    const { name, destination, readonly } = mount;
    const tag = `volume-${index}`;
    const path = volumes.mountpoint(volumes.expect(name).name);
    shares.push({ tag, path, readonly, resolved: true });
    // At the first of its places that can be filled.
    const fill = isFillable(mount) && pending.delete(name);
    mounts.push({ kind: 'virtiofs', tag, destination, readonly, ...(fill ? { fill } : {}) });
  }
  return {
    shares,
    mounts,
    release,
    filled: async () => {
      for (const fill of fills.values()) await fill.done();
      release();
    },
  };
}

function isFillable({ readonly, noCopy }: VolumeMount): boolean {
  return !readonly && !noCopy;
}
