/**
 * Loads an archive and makes the hash trees of its layers; the test kills the process meanwhile.
 * Arguments: the root directory, the archive.
 *
 * @module
 */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { openDatabase } from '../../state/database.ts';
import { migrations } from '../catalog/catalog-migrations.ts';
import { openImageStore } from '../store.ts';
import { convertHere } from './convert-here.ts';

const [root, archive] = process.argv.slice(2);
if (root === undefined || archive === undefined) throw new RangeError('Two arguments, please');
const database = openDatabase(join(root, 'state.db'), migrations);
const store = await openImageStore({
  directory: join(root, 'images'),
  database,
  converter: convertHere,
});
process.send?.('open');
for (const image of await store.load(createReadStream(archive))) await store.verityLayers(image);
process.disconnect?.();
database.close();
