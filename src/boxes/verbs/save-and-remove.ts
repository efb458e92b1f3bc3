/**
 * Ends a box where its memory and its disk were saved, so that another one can go on from there.
 *
 * Unlike the source of a snapshot it may have disks of volumes: nothing of it writes to them after
 * the moment of its memory.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { MemorySnapshot } from '../../snapshots/snapshot.ts';
import type { SnapshotDirectories } from '../../snapshots/snapshots.ts';
import { notRunning } from '../run/running-box.ts';
import { type RemoveLockedHost, removeLocked } from '../supervise/remove.ts';
import { checkMemory, mostMemory, type SnapshotHost, save } from './snapshot.ts';

/** What became of the box, for the start of another one. */
export type SavedState = Pick<MemorySnapshot['saved'], 'machine' | 'written'>;

/**
 * Where it fails before the box was saved, the box goes on.
 *
 * @throws A3sError `box-not-running`, `unsupported-option`, `agent-failed`, `vmm-failed`
 */
export function saveAndRemove(
  rt: SnapshotHost & RemoveLockedHost,
  id: string,
  directories: SnapshotDirectories,
): Promise<SavedState> {
  return rt.locks.run(id, async () => {
    const box = rt.store.expect(id);
    const running = rt.running.get(id);
    if (running === undefined || box.state.status !== 'running') throw notRunning(id);
    const { definition } = box;
    // Files of the host, and addresses of a network, would change between the two boxes.
    if (definition.binds.length > 0 || definition.network !== 'none') {
      throw new A3sError('unsupported-option', 'Cannot save a box with bind mounts or a network');
    }
    const saved = await save(rt, box, running, { ...directories, ends: true });
    rt.store.amend(id, { stopRequested: true });
    await running.vm.kill();
    await running.finished;
    await removeLocked(rt, id);
    checkMemory(saved.machine, mostMemory(rt, box));
    return { machine: saved.machine, written: saved.written };
  });
}
