import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import type { JsonObject } from '../../client/json.ts';
import { Upload } from './upload-progress.ts';

const CHUNKS = 5000;

it.each([
  ['known', CHUNKS],
  ['unknown', 0],
])('keeps few progress messages of an upload of %s size while none is read', async (_, total) => {
  const source = Readable.from(Array.from({ length: CHUNKS }, () => Buffer.from('x')));
  const upload = new Upload(source, 'archive', total);
  expect(await buffer(upload.body)).toHaveLength(CHUNKS);
  const messages: JsonObject[] = [];
  for await (const message of upload.messages(Readable.from([]))) messages.push(message);
  expect(messages.length).toBeLessThan(100);
  expect(messages[0]).toMatchObject({ status: 'Loading', progressDetail: { current: 0, total } });
  // The last message is always kept.
  expect(messages.at(-1)).toEqual({
    id: 'archive',
    status: 'Read',
    progressDetail: { current: CHUNKS, total: 0 },
  });
});
