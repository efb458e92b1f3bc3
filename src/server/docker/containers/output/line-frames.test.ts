import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { framesIn } from '../../../testing/frames.ts';
import { TestHome } from '../../../testing/home.ts';

const home = new TestHome();
beforeAll(async () => {
  await home.start();
});
afterAll(() => home.remove());

/** The output of an attached client that sends this input to a box which echoes it. */
async function attached(id: string, input: string): Promise<Buffer> {
  const socket = connect({ path: home.config.socket, allowHalfOpen: true });
  socket.write(
    `POST /v1.45/containers/${id}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
  );
  const parts: Buffer[] = [];
  const ended = new Promise<Buffer>((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => parts.push(chunk));
    socket.on('error', reject);
    socket.on('end', () => resolve(Buffer.concat(parts)));
  });
  await new Promise((resolve) => socket.once('data', resolve));
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  socket.end(input);
  const all = await ended;
  socket.destroy();
  return all.subarray(all.indexOf('\r\n\r\n') + 4);
}

async function logs(id: string, query: string): Promise<Buffer> {
  const path = `/v1.45/containers/${id}/logs?stdout=1&stderr=1${query}`;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ socketPath: home.config.socket, path, agent: false }, resolve).on('error', reject);
  });
  return await buffer(response);
}

it('sends each line in a frame of its own to attached clients and log readers', async () => {
  const id = await home.create(['cat'], { OpenStdin: true, StdinOnce: true });
  const lines = [
    [1, 'one\n'],
    [1, 'two\n'],
    [1, '\n'],
    [1, 'rest'],
  ];
  expect(framesIn(await attached(id, 'one\ntwo\n\nrest'))).toEqual(lines);
  for (const query of ['', '&follow=1']) expect(framesIn(await logs(id, query))).toEqual(lines);
  expect(framesIn(await logs(id, '&tail=2'))).toEqual(lines.slice(2));
  const stamped = framesIn(await logs(id, '&timestamps=1'));
  expect(stamped.map(([, text]) => text.replace(/^\S+ /, ''))).toEqual(
    lines.map(([, text]) => text),
  );
});
