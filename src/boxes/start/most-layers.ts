/**
 * How many disks a box may have for the layers of its image.
 *
 * @module
 */
import { KRUN_DEVICES } from '../../engine/engine-name.ts';
import type { BoxDefinition } from '../record/box.ts';
import type { MountedVolumes } from './mount-volumes.ts';

/**
 * An image with more layers gets its lowest ones merged into one disk.
 *
 * @returns undefined: as many as images are made with
 */
export function mostLayers(
  {
    engine,
    binds,
    imageMounts,
    network,
  }: Pick<BoxDefinition, 'engine' | 'binds' | 'imageMounts' | 'network'>,
  { shares, disks }: Pick<MountedVolumes, 'shares' | 'disks'>,
): number | undefined {
  if (engine?.name !== 'krun') return undefined;
  const WRITABLE_LAYER = 1;
  const cards = network === 'none' ? 0 : 1;
  const others =
    WRITABLE_LAYER + cards + binds.length + imageMounts.length + shares.length + disks.length;
  // A launch with more devices than there are places is refused.
  return Math.max(1, KRUN_DEVICES - others);
}
