/**
 * Volumes of Docker's create document. There are none: clients that bind a host path name its mount point there as well.
 *
 * @module
 */
import { mountPoint } from '../../../../boxes/create/volumes.ts';
import type { Bind } from '../../../../boxes/record/box.ts';
import { NO_VOLUMES, unsupported } from './unsupported-options.ts';

/** @throws A3sError `unsupported-option` for one that no bind mount is at */
export function checkVolumes(volumes: readonly string[], binds: readonly Bind[]): void {
  const bound = new Set(binds.map(({ destination }) => destination));
  const other = volumes.find((path) => !bound.has(mountPoint(path)));
  if (other === undefined) return;
  throw unsupported('Volumes', `${NO_VOLUMES}, and none is at ${other.slice(0, 128)}`);
}
