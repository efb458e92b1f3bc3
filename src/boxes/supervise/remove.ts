/**
 * Removes a box that has ended.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import { settleAll } from '../../async/settle-all.ts';
import { removeDurably } from '../../durable.ts';
import type { Box } from '../record/box.ts';
import { boxDirectory } from '../record/directories.ts';
import { vmOf } from '../record/vm-of.ts';
import type { RunServices } from '../run/run-services.ts';
import { publish } from '../services/publish.ts';

/** What the removal of a box that has ended needs of the server. */
export type RemoveLockedHost = Pick<
  RunServices,
  'home' | 'runtimeDir' | 'store' | 'outputs' | 'execs' | 'events' | 'volumes'
>;

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
