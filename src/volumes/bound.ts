/**
 * Volumes that are a directory of the host's own, which the driver's option `o=bind` names.
 *
 * @module
 */
import { realpath, stat } from 'node:fs/promises';
import * as z from 'zod';
import { A3sError } from '../errors.ts';

export const Bound = z.strictObject({
  /** As it was given. */
  device: z.string(),
  /** Where it led when the volume was made. */
  realPath: z.string(),
});
export type Bound = z.infer<typeof Bound>;

/** @throws A3sError `bind-source-missing` where there is no such directory */
export async function bind(device: string): Promise<Bound> {
  return { device, realPath: await directoryAt(device) };
}

/**
 * The directory that boxes mount. The owner of a part of the path could have put a link there, to
 * what only the user of this server may read.
 *
 * @throws A3sError `bind-source-missing`, `bind-source-changed`
 */
export async function boundDirectory({ device, realPath }: Bound): Promise<string> {
  const place = await directoryAt(device);
  if (place === realPath) return place;
  throw new A3sError(
    'bind-source-changed',
    `Cannot mount ${device}: it leads to ${place} now, and led to ${realPath} when the volume was made`,
    { remedy: 'Put back what was there, or make the volume anew.' },
  );
}

async function directoryAt(device: string): Promise<string> {
  try {
    const place = await realpath(device);
    if ((await stat(place)).isDirectory()) return place;
  } catch (cause) {
    throw new A3sError('bind-source-missing', `Cannot mount ${device}: it cannot be looked up`, {
      remedy: 'Create it first.',
      cause,
    });
  }
  throw new A3sError('bind-source-missing', `Cannot mount ${device}: it is no directory`, {
    remedy: 'Name a directory.',
  });
}
