/**
 * Filesystems in memory and the size of `/dev/shm`, as box specs and launch specs have them.
 *
 * @module
 */
import type { BoxSpec, Tmpfs } from '@a3s-box/policies';
import type { BoxDefinition } from '../record/box.ts';
import { boxMemory } from './resources.ts';

/**
 * As the kernel does by itself, but of the box's memory. The microVM's has other sizes in a
 * template and in a pool.
 */
const DEFAULT_PERCENT = 50;

/** Of `shmBytes`: there is no `/dev/shm`, as in Docker with this IPC mode. */
const NO_SHARED_MEMORY = 0;

type Asked = Partial<Pick<BoxDefinition, 'tmpfs' | 'shmBytes'>> &
  Pick<BoxDefinition, 'memoryBytes'> & {
    readonly security?: Pick<BoxDefinition['security'], 'ipcMode'>;
  };

/**
 * Sorted by destination, in UTF-16 units: a launch spec has one text. What was not asked for is
 * left out.
 */
export function memoryMounts({
  tmpfs = [],
  shmBytes: asked,
  memoryBytes,
  security,
}: Asked): Pick<BoxSpec, 'tmpfs' | 'shmBytes'> {
  const shmBytes = security?.ipcMode === 'none' ? NO_SHARED_MEMORY : asked;
  const list = tmpfs.map((mount) => described(mount, memoryBytes));
  list.sort((a, b) => (a.destination < b.destination ? -1 : 1));
  return {
    ...(list.length === 0 ? {} : { tmpfs: list }),
    ...(shmBytes === undefined ? {} : { shmBytes }),
  };
}

function described(
  { size = { percent: DEFAULT_PERCENT }, asked: _, ...mount }: BoxDefinition['tmpfs'][number],
  memoryBytes: number,
): Tmpfs {
  const { mode, uid, gid, inodes } = mount;
  const sizeBytes =
    'bytes' in size ? size.bytes : Math.floor((boxMemory(memoryBytes) / 100) * size.percent);
  return {
    ...{ destination: mount.destination, readonly: mount.readonly, sizeBytes, flags: mount.flags },
    ...(mode === undefined ? {} : { mode }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    ...(inodes === undefined ? {} : { inodes }),
  };
}
