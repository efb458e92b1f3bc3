/**
 * Puts a new box on record, and makes its directory.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { removeDurably } from '../../durable.ts';
import type { Box, BoxDefinition } from '../record/box.ts';
import { now, timestamp } from '../record/clock.ts';
import { boxDirectory } from '../record/directories.ts';
import { checkName, inventName } from '../record/name.ts';
import { pinnedImage } from '../record/pinned-image.ts';
import { nameInUse } from '../record/store.ts';
import { takenUids, type UidHost } from '../record/taken-uids.ts';
import type { Services } from '../services/services.ts';

/** What is unique to each box. */
export type Unique = Pick<BoxDefinition, 'id' | 'createdAt' | 'identity'>;

/**
 * @throws A3sError `invalid-argument` for a name that no box can have; `conflict` for one that a
 * box has
 */
export function checkNewName(
  { store }: Pick<Services, 'store'>,
  asked: string | undefined,
): string | undefined {
  if (asked === undefined) return undefined;
  const name = checkName(asked);
  const holder = store.byName(name);
  if (holder !== undefined) throw nameInUse(name, holder.definition.id);
  return name;
}

/** What a new record needs of the server. */
export type RecordHost = UidHost &
  Pick<Services, 'home' | 'images' | 'identityFor' | 'locks' | 'log'>;

/**
 * Makes the record, then the box's directory. Removes both again when the directory cannot be
 * filled, or the image is gone. A caller that finds the record meanwhile waits for the lock.
 *
 * @param name undefined: a name is made up
 * @param fill makes the first content of the directory
 * @param options.incomplete the box is nothing without that content: where the server ends
 * meanwhile, the next one removes it
 */
export async function recordBox(
  rt: RecordHost,
  name: string | undefined,
  define: (unique: Unique) => BoxDefinition,
  fill: (definition: BoxDefinition) => Promise<void> = async () => undefined,
  { incomplete = false }: { readonly incomplete?: boolean } = {},
): Promise<Box> {
  const id = randomBytes(32).toString('hex');
  return await rt.locks.run(id, async () => {
    // Nothing is awaited from here to the record, so that no identity and no name is given twice.
    const identity = rt.identityFor(takenUids(rt));
    const definition = define({ id, createdAt: timestamp(now()), identity });
    const box = rt.store.insert(
      definition,
      name ?? inventName((n) => rt.store.byName(n) !== undefined),
      incomplete ? { incomplete } : {},
    );
    try {
      await mkdir(boxDirectory(rt, id), { mode: 0o711 });
      await fill(definition);
      // The images could be removed, or replaced, until the record held them.
      await pinnedImage(rt, definition);
      for (const mount of definition.imageMounts) await pinnedImage(rt, mount);
      return incomplete ? rt.store.amend(id, { incomplete: undefined }) : box;
    } catch (error) {
      await removeDirectory(rt, id);
      rt.store.remove(id);
      throw error;
    }
  });
}

/** Never rejects: without its record, no box uses the directory, and the next server removes it. */
async function removeDirectory(rt: Pick<Services, 'home' | 'log'>, id: string): Promise<void> {
  try {
    await removeDurably(boxDirectory(rt, id));
  } catch (error) {
    rt.log.error('the directory of a box could not be removed', error, { box: id });
  }
}
