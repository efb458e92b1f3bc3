/**
 * Loads an archive and makes an image of its first image and a further layer; the test kills the
 * process meanwhile. Arguments: the root directory, the archive.
 *
 * @module
 */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { openDatabase } from '../../state/database.ts';
import { migrations } from '../catalog/catalog-migrations.ts';
import { openImageStore } from '../store.ts';
import { convertHere } from './convert-here.ts';
import { streamed } from './streams.ts';
import { writeTar } from './tar-writer.ts';

const [root, archive] = process.argv.slice(2);
if (root === undefined || archive === undefined) throw new RangeError('Two arguments, please');
const database = openDatabase(join(root, 'state.db'), migrations);
const store = await openImageStore({
  directory: join(root, 'images'),
  database,
  converter: convertHere,
});
const [parent] = await store.load(createReadStream(archive));
if (parent === undefined) throw new RangeError('An image, please');
process.send?.('open');
const layer = writeTar([{ path: 'made', data: Buffer.alloc(3_000_000, 'made') }]);
await store.extend(parent, streamed(layer, 100_000), {
  ...{ name: 'child:1', config: { Cmd: ['made'] }, author: '', message: '', createdBy: '' },
  created: '2026-01-01T00:00:00Z',
});
process.disconnect?.();
database.close();
