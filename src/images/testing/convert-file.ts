/**
 * Converts one layer in a jail. Arguments: the converter's program, the blob, its diff ID, the disk
 * to write.
 *
 * @module
 */
import { open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { spawnInJail } from '../../jail/spawn.ts';
import { isDigest } from '../../oci/digest.ts';
import { converterInJail } from '../converter/converter.ts';
import { DiskBudget } from '../disk-budget.ts';
import { DEFAULT_LIMITS } from '../limits.ts';

async function main([program, path, diffId, disk]: readonly string[]): Promise<void> {
  if (program === undefined || path === undefined || diffId === undefined || disk === undefined) {
    throw new RangeError('Four arguments, please');
  }
  if (!isDigest(diffId)) throw new RangeError('The third is a digest');
  const output = await open(disk, 'wx', 0o600);
  const { size } = await stat(path);
  const done = await converterInJail(
    program,
    spawnInJail,
  )({
    layers: [{ diffId, size, path }],
    below: undefined,
    output,
    budget: new DiskBudget(dirname(disk), 1 << 30),
    limits: DEFAULT_LIMITS,
  });
  await output.close();
  process.stdout.write(String(done));
}

void main(process.argv.slice(2));
