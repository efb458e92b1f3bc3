/**
 * Removes a box, one that runs as well where this is forced.
 *
 * @module
 */

import { A3sError } from '../../errors.ts';
import { endOrphaned, type OrphanHost } from '../adopt/orphaned.ts';
import type { Box } from '../record/box.ts';
import { mayHaveVm } from '../record/states.ts';
import { endStart } from '../supervise/end-start.ts';
import { removeLocked } from '../supervise/remove.ts';

/**
 * Removes the box with all that it wrote.
 *
 * @param options.force ends a running box, or the copy of files of one that does not run, first
 * @param options.volumes removes its anonymous volumes as well, unless another box mounts them
 * @throws A3sError `box-running` without `force`
 */
export async function removeBox(
  rt: OrphanHost,
  id: string,
  options: { force: boolean; volumes?: boolean },
): Promise<void> {
  const ended = options.force && (await endStart(rt, id));
  if (options.force) rt.running.copying.get(id)?.abort(beingRemoved(id));
  await rt.locks.run(id, async () => {
    // The box was set to be removed when its start failed.
    if (ended && rt.store.get(id) === undefined) return;
    const box = rt.store.expect(id);
    const running = rt.running.get(id);
    const { status } = box.state;
    if (!options.force && (mayHaveVm(status) || status === 'restarting')) throw boxRunning(box);
    if (running !== undefined) {
      rt.store.amend(id, { stopRequested: true });
      await running.vm.kill();
      await running.finished;
    } else if (mayHaveVm(status)) {
      // The server that adopted it could not record its end.
      rt.store.amend(id, { stopRequested: true });
      await endOrphaned(rt, rt.store.expect(id), '');
    }
    await removeLocked(rt, id, options);
  });
}

function beingRemoved(id: string): A3sError {
  return new A3sError('conflict', `Container ${id} is being removed`);
}

/** In Docker's words. A box that waits for its restart counts as running. */
function boxRunning({ name, state: { status } }: Box): A3sError {
  const how =
    status === 'paused'
      ? 'container is paused and must be unpaused first'
      : `container is ${status === 'restarting' ? status : 'running'}: stop the container before removing or force remove`;
  return new A3sError('box-running', `cannot remove container "/${name}": ${how}`);
}
