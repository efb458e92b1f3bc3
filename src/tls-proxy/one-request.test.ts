import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import { OneRequest } from './one-request.ts';

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

let server: Server | undefined;
let client: Socket | undefined;
afterEach(() => {
  client?.destroy();
  server?.close();
});

async function ask(
  oneRequest: OneRequest,
  answer: (response: ServerResponse, left: AbortSignal, request: IncomingMessage) => void,
): Promise<Socket> {
  server = createServer((request, response) => {
    const left = oneRequest.begin(request.socket, response);
    if (left !== undefined) answer(response, left, request);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  client = connect(typeof address === 'object' ? (address?.port ?? 0) : 0, '127.0.0.1');
  client.on('error', () => undefined);
  return client;
}

it('begins one request of those that come together, and ends it with its connection', async () => {
  const begun: AbortSignal[] = [];
  const socket = await ask(new OneRequest(30_000), (_, left) => begun.push(left));
  socket.write(GET.repeat(3));
  expect(await text(socket)).toBe('');
  expect(begun.map(({ aborted }) => aborted)).toEqual([true]);
});

it('begins the next request of a connection when the answer has ended', async () => {
  const begun: AbortSignal[] = [];
  const socket = await ask(new OneRequest(30_000), (response, left) => {
    begun.push(left);
    response.end('answer');
  });
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  for (let time = 0; time < 3; time += 1) {
    answer = '';
    socket.write(GET);
    while (!answer.endsWith('answer')) await once(socket, 'data');
  }
  expect(begun.map(({ aborted }) => aborted)).toEqual([false, false, false]);
});

it('cuts a client that takes nothing of its answer', async () => {
  const socket = await ask(new OneRequest(1), (response, left) => {
    left.addEventListener('abort', () => server?.emit('left'));
    response.end(Buffer.alloc(64 * 1024 * 1024));
  });
  socket.pause();
  const left = once(server as Server, 'left');
  socket.write(GET);
  await left;
});
