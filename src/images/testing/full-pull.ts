/**
 * Stores an image that does not fit, and prints what is left of it. Argument: the root directory,
 * on a small disk.
 *
 * @module
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { A3sError } from '../../errors.ts';
import { openDatabase } from '../../state/database.ts';
import { migrations } from '../catalog/catalog-migrations.ts';
import { openImageStore } from '../store.ts';
import { buildImage } from './build-image.ts';
import { convertHere } from './convert-here.ts';
import { PULLED } from './crash-image.ts';
import { MemorySource } from './memory-source.ts';

const [root] = process.argv.slice(2);
if (root === undefined) throw new RangeError('One argument, please');
const database = openDatabase(join(root, 'state.db'), migrations);
const directory = join(root, 'images');
const store = await openImageStore({ directory, database, converter: convertHere });
const states: string[] = [];
const failure = await store
  .ingest(new MemorySource(PULLED, { names: ['docker.io/library/large:1'] }), ({ state }) => {
    states.push(state);
  })
  .catch((error: unknown) => (error instanceof A3sError ? error.code : String(error)));
const left = ['staging', 'blobs/sha256', 'erofs'].flatMap((path) =>
  readdirSync(join(directory, path)),
);
const small = buildImage({ layers: [[{ path: 'f', data: 'x' }]], compression: 'none' });
const { tags } = await store.ingest(
  new MemorySource(small, { names: ['docker.io/library/small:1'] }),
);
database.close();
process.stdout.write(
  JSON.stringify({ failure, left, tags, downloaded: states.includes('downloaded') }),
);
