/**
 * Removes a box.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import { settleAll } from '../../async/settle-all.ts';
import { removeDurably } from '../../durable.ts';
import { A3sError } from '../../errors.ts';
import type { Box } from '../record/box.ts';
import { boxDirectory } from '../record/directories.ts';
import { vmOf } from '../record/vm-of.ts';
import type { RunServices } from '../run/run-services.ts';
import { publish } from '../services/publish.ts';
import { endStart } from './end-start.ts';

/** What the removal of a box that has ended needs of the server. */
export type RemoveLockedHost = Pick<
  RunServices,
  'home' | 'runtimeDir' | 'store' | 'outputs' | 'execs' | 'events' | 'volumes'
>;

/** What a removal needs of the server: it may have to end the box. */
export type RemoveHost = RemoveLockedHost & Pick<RunServices, 'locks' | 'running'>;

/**
 * Removes the box with all that it wrote.
 *
 * @param options.force ends a running box, or the copy of files of one that does not run, first
 * @param options.volumes removes its anonymous volumes as well, unless another box mounts them
 * @throws A3sError `box-running` without `force`
 */
export async function removeBox(
  rt: RemoveHost,
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
    if (running !== undefined) {
      if (!options.force) throw boxRunning(box);
      rt.store.amend(id, { stopRequested: true });
      await running.vm.kill();
      await running.finished;
    } else if (box.state.status === 'restarting' && !options.force) throw boxRunning(box);
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

/**
 * The caller holds the box's lock. The box has no microVM. The anonymous volumes of a box that is
 * removed at its end are removed with it.
 */
export async function removeLocked(
  rt: RemoveLockedHost,
  id: string,
  { volumes = false }: { readonly volumes?: boolean } = {},
): Promise<void> {
  if (rt.store.get(id) === undefined) return;
  const box = rt.store.advance(id, 'remove');
  await rt.outputs.forget(id);
  await settleAll([
    // The rest of its last microVM was removed before that end was recorded. Only an empty
    // directory may be left.
    rm(vmOf(rt, box).directory, { recursive: true, force: true }),
    removeFiles(rt, box),
  ]);
  rt.execs.forgetBox(id);
  if (volumes || box.definition.autoRemove) await removeAnonymous(rt, box);
  // Last: until here, the next server finds the record and finishes the removal.
  rt.store.remove(id);
  publish(rt, box, 'destroy');
}

/** Of a box with `--rm`, a power cut brings back its record or its directory, and ends either. */
async function removeFiles(
  rt: Pick<RemoveLockedHost, 'home'>,
  { definition: { id, autoRemove } }: Box,
): Promise<void> {
  const directory = boxDirectory(rt, id);
  if (autoRemove) await rm(directory, { recursive: true, force: true });
  else await removeDurably(directory);
}

async function removeAnonymous({ volumes }: RemoveLockedHost, { definition }: Box): Promise<void> {
  for (const { name, anonymous } of definition.volumeMounts) {
    if (anonymous) await volumes.removeUnused(name, definition.id);
  }
}
