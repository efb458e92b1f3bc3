import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { A3sError } from '../../../errors.ts';
import { TestHome } from '../../testing/home.ts';
import { FakeImages, TEST_IMAGE } from '../../testing/images.ts';

/** Refuses an archive after its first bytes. */
class FullDisk extends FakeImages {
  override async load(archive: AsyncIterable<Uint8Array>): Promise<never> {
    // Leaving the loop closes the upload, like the reader of the store.
    for await (const _ of archive) break;
    throw new A3sError('disk-full', 'Cannot keep the image: the disk is full');
  }
}

const home = new TestHome(new FullDisk(TEST_IMAGE));
beforeAll(async () => {
  await home.start();
});
afterAll(() => home.remove());

it('tells a client that is still uploading why its archive was refused', async () => {
  const { socket } = home.config;
  const sent = request({ socketPath: socket, method: 'POST', path: '/images/load', agent: false });
  sent.write(Buffer.alloc(1024));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const [line] = (await once(response, 'data')) as [Buffer];
  expect(JSON.parse(`${line}`)).toMatchObject({ code: 'disk-full' });
  // Much more than a socket buffers: the write ends only if the server reads it.
  for (let chunk = 0; chunk < 64; chunk += 1) {
    if (!sent.write(Buffer.alloc(64 * 1024))) await once(sent, 'drain');
  }
  sent.end();
  await once(response.resume(), 'end');
});
