import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { Agent, type MessageEvent, WebSocket } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestHome } from '../../../testing/home.ts';

const home = new TestHome();
let dispatcher: Agent;
beforeAll(async () => {
  await home.start();
  dispatcher = new Agent({ connect: { socketPath: home.config.socket } });
});
afterAll(async () => {
  await dispatcher.destroy();
  await home.remove();
});

interface Attached {
  readonly socket: WebSocket;
  readonly messages: (string | Buffer)[];
  readonly closed: Promise<number>;
}

/** Attaches by a client of WebSockets that is not ours. */
async function attach(id: string, query: string, version = 'v1.45'): Promise<Attached> {
  const url = `ws://localhost/${version}/containers/${id}/attach/ws?${query}`;
  const socket = new WebSocket(url, { dispatcher });
  socket.binaryType = 'arraybuffer';
  const messages: (string | Buffer)[] = [];
  socket.addEventListener('message', ({ data }: MessageEvent) => {
    messages.push(typeof data === 'string' ? data : Buffer.from(data));
  });
  const closed = new Promise<number>((resolve) => {
    socket.addEventListener('close', ({ code }) => resolve(code));
  });
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', reject);
  });
  return { socket, messages, closed };
}

const joined = (messages: readonly (string | Buffer)[]): string =>
  messages.map((message) => message.toString()).join('');

it('passes input and output through a WebSocket until the box ends', async () => {
  const id = await home.create(['cat'], { OpenStdin: true, StdinOnce: true });
  const { socket, messages, closed } = await attach(id, 'stream=1&stdin=1&stdout=1');
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  socket.send('one\n');
  socket.send(Buffer.alloc(70_000, 'x'));
  await expect.poll(() => joined(messages).length).toBe(70_004);
  expect(messages.every((message) => Buffer.isBuffer(message))).toBe(true);
  expect(joined(messages)).toBe(`one\n${'x'.repeat(70_000)}`);
  expect((await home.call('POST', `/containers/${id}/kill`)).status).toBe(204);
  expect(await closed).toBe(1000);
});

it('leaves the box running when the client closes, with an input or without', async () => {
  const id = await home.create(['cat'], { OpenStdin: true });
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  for (const streams of ['stdin=1&stdout=1', 'stdout=1']) {
    const { socket, closed } = await attach(id, `stream=1&${streams}`);
    socket.close();
    expect(await closed).toBe(1000);
  }
  expect((await home.call('GET', `/containers/${id}/json`)).body).toMatchObject({
    State: { Running: true },
  });
});

it('sends text, and every stream, to clients of older versions', async () => {
  const id = await home.create(['cat'], { OpenStdin: true, StdinOnce: true });
  const { socket, messages, closed } = await attach(id, 'stream=1', 'v1.27');
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  socket.send('older\n');
  await expect.poll(() => messages).toEqual(['older\n']);
  expect((await home.call('POST', `/containers/${id}/kill`)).status).toBe(204);
  expect(await closed).toBe(1000);
});

it('sends the output that the box already has where logs are asked for', async () => {
  const id = await home.create(['echo', 'before']);
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  await home.call('POST', `/containers/${id}/wait`);
  const { messages, closed } = await attach(id, 'logs=1&stdout=1');
  await closed;
  expect(joined(messages)).toBe('before\n');
});

const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const VERSION = 'Sec-WebSocket-Version: 13\r\n';

async function answerTo(id: string, headers: string): Promise<string> {
  const socket = connect(home.config.socket);
  socket.end(`GET /containers/${id}/attach/ws?logs=1 HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
  return await text(socket);
}

it('answers the handshake with the key of RFC 6455’s example', async () => {
  const id = await home.create(['true']);
  const answer = await answerTo(id, `${UPGRADE}${KEY}${VERSION}`);
  expect(answer).toMatch(/^HTTP\/1\.1 101 /);
  expect(answer).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n');
});

it.each([
  ['no upgrade', 'Connection: close\r\n'],
  ['another protocol', `Connection: Upgrade, close\r\nUpgrade: tcp\r\n${KEY}${VERSION}`],
  ['no key', `${UPGRADE}${VERSION}`],
  ['a short key', `${UPGRADE}Sec-WebSocket-Key: dGhl\r\n${VERSION}`],
  ['another version', `${UPGRADE}${KEY}Sec-WebSocket-Version: 8\r\n`],
])('refuses a request with %s', async (_, headers) => {
  const id = await home.create(['true']);
  const answer = await answerTo(id, headers);
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(answer).toContain('opens no WebSocket');
});
