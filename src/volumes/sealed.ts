/**
 * Sealed volumes: disks that only the guests of one launch spec can read. The host knows the length
 * of one, and its id as the last guest reported.
 *
 * @module
 */
import { open } from 'node:fs/promises';
import * as z from 'zod';
import { A3sError } from '../errors.ts';

/** What is on record of one. */
export const Sealed = z.strictObject({
  /** As the last guest reported. Absent: no box has made the volume yet. */
  id: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
});
export type Sealed = z.infer<typeof Sealed>;

/** Where a guest writes the two copies of its header. */
const COPIES_AT = [0, 512 * 1024];
const MAGIC = 'A3S-VOLM';

/** Makes a disk of zeros, which is what a guest takes for an empty one. */
export async function makeEmptyDisk(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    // Whole blocks: a guest uses no part of one.
    await file.truncate(Math.floor(bytes / 4096) * 4096);
  } finally {
    await file.close();
  }
}

/**
 * A sealed volume is of no use to a box that has no key of it, and another one is not sealed.
 *
 * @throws A3sError `invalid-argument`
 */
export function expectSealed(
  { name, sealed }: { readonly name: string; readonly sealed?: Sealed | undefined },
  expected: boolean,
): void {
  if ((sealed !== undefined) === expected) return;
  throw new A3sError(
    'invalid-argument',
    expected
      ? `cannot mount volume ${name} as a sealed one: it is another kind of volume`
      : `cannot mount volume ${name}: it is sealed`,
    {
      remedy: expected
        ? 'Choose another name: a volume that others can read does not become a sealed one.'
        : `Mount it with -v ${name}:PATH:sealed in a confidential box.`,
    },
  );
}

/**
 * A guest that may make volumes takes any that its key opens. Where that is another one than boxes
 * have used, its host has lost the disk, or replaced it: the record stays, so that no later box
 * names the new one.
 *
 * @throws A3sError `volume-refused`
 */
export function expectSameId(name: string, recorded: string, id: string): void {
  if (recorded === id) return;
  throw new A3sError(
    'volume-refused',
    `cannot mount volume ${name}: its guest has opened volume ${id}, and boxes have used ${recorded}`,
    { remedy: `Put its disk back, or give it up with a3s-box volume rm ${name}.` },
  );
}

/**
 * Finds out before a start that the disk of a volume which boxes have used was replaced by an empty
 * one: a guest that may make volumes would make another one of it. This is against mistakes: a host
 * that means to do it does not ask here.
 *
 * @throws A3sError `volume-empty`
 */
export async function expectMade(name: string, path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    for (const position of COPIES_AT) {
      const { buffer } = await file.read({ buffer: Buffer.alloc(MAGIC.length), position });
      if (buffer.toString('latin1') === MAGIC) return;
    }
  } finally {
    await file.close();
  }
  throw new A3sError(
    'volume-empty',
    `cannot mount volume ${name}: its disk has no header, and boxes have used the volume`,
    { remedy: `Put its disk back, or give it up with a3s-box volume rm ${name}.` },
  );
}
