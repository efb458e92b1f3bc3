/**
 * Makes an image of another one and a layer that does not fit, and prints what is left. Argument:
 * the root directory, on a small disk.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { A3sError } from '../../errors.ts';
import { openDatabase } from '../../state/database.ts';
import { migrations } from '../catalog/catalog-migrations.ts';
import { openImageStore } from '../store.ts';
import { buildImage, ociArchive } from './build-image.ts';
import { convertHere } from './convert-here.ts';
import { streamed } from './streams.ts';
import { writeTar } from './tar-writer.ts';

const [root] = process.argv.slice(2);
if (root === undefined) throw new RangeError('One argument, please');
const database = openDatabase(join(root, 'state.db'), migrations);
const directory = join(root, 'images');
const store = await openImageStore({ directory, database, converter: convertHere });
const small = buildImage({ name: 'small:1', layers: [[{ path: 'f', data: 'x' }]] });
const [parent] = await store.load(streamed(ociArchive([small])));
if (parent === undefined) throw new RangeError('An image, please');
const files = (): string[] =>
  ['staging', 'blobs/sha256', 'erofs'].flatMap((path) => readdirSync(join(directory, path)));
const before = files();
const commit = async (name: string, bytes: number): Promise<readonly string[]> => {
  const layer = writeTar([{ path: 'made', data: randomBytes(bytes) }]);
  const { tags } = await store.extend(parent, streamed(layer, 100_000), {
    ...{ name, config: {}, author: '', message: '', createdBy: '' },
    created: '2026-01-01T00:00:00Z',
  });
  return tags;
};
const failure = await commit('large:1', 20_000_000).catch((error: unknown) =>
  error instanceof A3sError ? error.code : String(error),
);
const left = files().filter((name) => !before.includes(name));
const missing = before.filter((name) => !files().includes(name));
const tags = await commit('fits:1', 1000);
database.close();
process.stdout.write(JSON.stringify({ failure, left, missing, tags }));
