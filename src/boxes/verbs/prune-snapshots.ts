/**
 * Removes snapshots that are of no use.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { SnapshotRecord } from '../../snapshots/snapshot.ts';
import type { Services } from '../services/services.ts';
import { removeSnapshot } from './snapshot.ts';

export interface PrunedSnapshots {
  readonly removed: string[];
  /** Of memory. What was freed of disks is not known: boxes may share their files. */
  readonly freedBytes: number;
}

/**
 * Those whose memory is gone, of which no box can be made. With `all`, also those that no box runs
 * from. One that is being made stays, and so does one that another request removes meanwhile.
 */
export async function pruneSnapshots(
  rt: Pick<Services, 'snapshots' | 'events' | 'locks' | 'store'>,
  { all }: { readonly all: boolean },
): Promise<PrunedSnapshots> {
  const removed: string[] = [];
  let freedBytes = 0;
  for (const record of rt.snapshots.list()) {
    if (record.saved === undefined) continue;
    const usable = await rt.snapshots.usable(record);
    if (usable && !(all && !isUsed(rt, record))) continue;
    try {
      await removeSnapshot(rt, record.id);
    } catch (error) {
      if (error instanceof A3sError && error.code === 'no-such-snapshot') continue;
      throw error;
    }
    removed.push(record.id);
    if (usable) freedBytes += record.saved.bytes;
  }
  return { removed, freedBytes };
}

function isUsed({ store }: Pick<Services, 'store'>, { id }: SnapshotRecord): boolean {
  return store
    .list()
    .some(({ state, definition }) => state.machine?.source === id || definition.snapshot === id);
}
