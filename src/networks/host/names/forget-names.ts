/**
 * Names of boxes that are in no network any more, in the files that the DNS server reads.
 *
 * @module
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ifMissing } from '../if-missing.ts';

/** netavark marks the files of internal networks. */
const SUFFIXES = ['', '%int'];

/**
 * Removes the names that a box has in a network. netavark does so itself, unless its set-up was cut
 * off: then the names would lead to the box that gets the address next.
 *
 * @param directory of the files of all networks, each of which the DNS server reads
 * @param temporaryDirectory beside it, for files that are being written
 * @returns whether there were any; the DNS server does not know it yet
 */
export async function forgetNames(
  {
    directory,
    temporaryDirectory,
  }: { readonly directory: string; readonly temporaryDirectory: string },
  { box, network }: { readonly box: string; readonly network: string },
): Promise<boolean> {
  let isChanged = false;
  for (const suffix of SUFFIXES) {
    const name = `${network.slice(0, 12)}${suffix}`;
    const file = join(directory, name);
    const text = await readFile(file, 'utf8').catch(ifMissing);
    if (text === undefined) continue;
    // The first line has the addresses of the server.
    const [server = '', ...lines] = text.split('\n').filter((line) => line !== '');
    const kept = lines.filter((line) => !line.startsWith(`${box} `));
    if (kept.length === lines.length) continue;
    isChanged = true;
    if (kept.length === 0) {
      await rm(file);
      continue;
    }
    const fresh = join(temporaryDirectory, `${name}.new`);
    await writeFile(fresh, [server, ...kept, ''].join('\n'), { mode: 0o644 });
    await rename(fresh, file);
  }
  return isChanged;
}
