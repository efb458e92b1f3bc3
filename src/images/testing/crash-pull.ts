/**
 * Stores an image from an outside source; the test kills the process meanwhile. Argument: the root
 * directory.
 *
 * @module
 */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { openDatabase } from '../../state/database.ts';
import { migrations } from '../catalog/catalog-migrations.ts';
import { openImageStore } from '../store.ts';
import { convertHere } from './convert-here.ts';
import { PULLED, pulledAttachment } from './crash-image.ts';
import { MemorySource } from './memory-source.ts';

const [root] = process.argv.slice(2);
if (root === undefined) throw new RangeError('One argument, please');
const database = openDatabase(join(root, 'state.db'), migrations);
const store = await openImageStore({
  directory: join(root, 'images'),
  database,
  converter: convertHere,
});
process.send?.('open');
await store.ingest(
  new MemorySource(PULLED, {
    names: ['docker.io/library/pulled:1'],
    attachments: [pulledAttachment()],
    stream: async function* (_, bytes) {
      for (let at = 0; at < bytes.length; at += 500_000) {
        yield bytes.subarray(at, at + 500_000);
        await setTimeout(1);
      }
    },
  }),
);
process.disconnect?.();
database.close();
