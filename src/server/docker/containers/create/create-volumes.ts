/**
 * The volumes of Docker's create document. There are no volumes, but clients that bind a host path name its mount point
 * as a volume as well.
 *
 * @module
 */
import { mountPoint } from '../../../../boxes/create/volumes.ts';
import type { Bind } from '../../../../boxes/record/box.ts';
import { NO_VOLUMES, unsupported } from './unsupported-options.ts';

/** @throws A3sError `unsupported-option` for a volume at which there is no bind mount */
export function checkVolumes(volumes: readonly string[], binds: readonly Bind[]): void {
  const bound = new Set(binds.map(({ destination }) => destination));
  const other = volumes.find((path) => !bound.has(mountPoint(path)));
  if (other === undefined) return;
  throw unsupported('Volumes', `${NO_VOLUMES}, and none is at ${other.slice(0, 128)}`);
}
