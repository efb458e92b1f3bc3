// Connections to a guest's RA-TLS server: a compromised guest, too many clients, and vanished ones.
import { createConnection, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MAX_RATLS_CONNECTIONS } from '../../boxes/run/ratls-connections.ts';
import { TestHome } from '../testing/home.ts';
import { endless, type Lie, lyingAgent, saying, silence } from '../testing/hostile-agent.ts';
import { allowConfidential } from '../testing/signed-images.ts';

const CLIENTS = 1000;
const AT_ONCE = 200;
const MOST_MEMORY = 400 * 2 ** 20;
const MINUTE = ['sleep', 'infinity'];
const WORKING = { Confidential: { Tee: 'simulate', HostMay: ['exec'] } };

let home: TestHome;
let sockets: Socket[];
beforeEach(async () => {
  sockets = [];
  home = new TestHome();
  home.trust.rules = [allowConfidential('**')];
  await home.start();
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await home.remove();
});

async function runBox(lie?: Lie): Promise<string> {
  home.takeover = lie === undefined ? undefined : lyingAgent({ 'POST /v1/ratls': lie });
  const id = await home.create(MINUTE, WORKING);
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  return id;
}

interface Connection {
  readonly socket: Socket;
  /** Resolves with the server's first bytes, or an empty string if it sends none. */
  readonly first: Promise<string>;
}

function connect(id: string): Connection {
  const socket = createConnection(home.config.socket);
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.write(
    `POST /a3s/v1/boxes/${id}/ratls HTTP/1.1\r\nHost: a3s-box\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
  );
  const first = new Promise<string>((resolve) => {
    socket.once('data', (chunk) => {
      socket.pause();
      resolve(String(chunk));
    });
    socket.once('close', () => resolve(''));
  });
  return { socket, first };
}

const lines = (id: string): number => home.runtime.running.expect(id).ratlsConnections.count;
const statusOf = (text: string): string => text.slice(9, 12);

async function expectWorks(id: string): Promise<void> {
  const created = await home.call('POST', `/containers/${id}/exec`, { Cmd: ['true'] });
  const { Id } = created.body as { Id: string };
  const { status } = await home.call('POST', `/exec/${Id}/start`, { Detach: true });
  expect(status).toBe(200);
}

it('a thousand RA-TLS clients get only the allowed connections, and the box keeps working', async () => {
  const id = await runBox();
  const before = process.memoryUsage().rss;
  const answers: string[] = [];
  while (answers.length < CLIENTS) {
    // The kernel refuses more simultaneous connections than the backlog of a socket.
    const some = Array.from({ length: AT_ONCE }, () => connect(id).first);
    answers.push(...(await Promise.all(some)));
  }
  expect(new Set(answers.map(statusOf))).toEqual(new Set(['101', '429']));
  expect(lines(id)).toBe(MAX_RATLS_CONNECTIONS);
  await expectWorks(id);
  expect(process.memoryUsage().rss - before).toBeLessThan(MOST_MEMORY);
  for (const socket of sockets) socket.destroy();
  await expect.poll(() => lines(id), { timeout: 20_000 }).toBe(0);
  expect(statusOf(await connect(id).first)).toBe('101');
}, 120_000);

it('a RA-TLS client with all connections delays another one only for a few seconds', async () => {
  const id = await runBox();
  const held = Array.from({ length: MAX_RATLS_CONNECTIONS }, () => connect(id));
  let closed = 0;
  for (const { socket, first } of held) {
    expect(statusOf(await first)).toBe('101');
    socket.once('close', () => {
      closed += 1;
    });
    socket.resume();
  }
  expect(await home.call('POST', `/a3s/v1/boxes/${id}/ratls`)).toMatchObject({
    status: 429,
    body: { code: 'ratls-busy', remedy: expect.stringContaining('ratls') },
  });
  await expect
    .poll(async () => statusOf(await connect(id).first), { timeout: 10_000, interval: 100 })
    .toBe('101');
  await expect.poll(() => closed).toBe(1);
  expect(lines(id)).toBe(MAX_RATLS_CONNECTIONS);
}, 30_000);

it('a vanished RA-TLS client is dropped with its box at the latest', async () => {
  const id = await runBox((stream) => {
    stream.resume();
    stream.respond({ ':status': 200 });
  });
  const { socket, first } = connect(id);
  await first;
  const running = home.runtime.running.expect(id);
  expect(running.ratlsConnections.count).toBe(1);
  socket.destroy();
  home.host.vm(id)?.crash();
  await expect.poll(() => running.ratlsConnections.count).toBe(0);
});

it('a RA-TLS client that leaves before the guest answers holds no connection', async () => {
  const id = await runBox(silence);
  const { socket } = connect(id);
  await expect.poll(() => lines(id)).toBe(1);
  await expectWorks(id);
  socket.destroy();
  await home.call('POST', `/containers/${id}/stop?t=0`);
  await expect.poll(() => home.runtime.running.get(id)).toBeUndefined();
});

it('a guest that never answers a RA-TLS request is given up', async () => {
  const id = await runBox(silence);
  const guest = await home.runtime.running.expect(id).guest();
  await expect(guest.ratls(undefined, 30)).rejects.toMatchObject({ code: 'agent-timeout' });
});

it.each<[string, Lie, string]>([
  ['refuses', saying({ error: { code: 'conflict', message: 'a\u001b[2Jb' } }, 409), 'conflict'],
  ['refuses without end', (stream) => stream.respond({ ':status': 500 }), 'agent-timeout'],
  ['answers with nonsense', saying('\u001b[31m', 418), 'agent-failed'],
  ['resets the stream', (stream) => stream.close(2), 'agent-failed'],
])('a RA-TLS client gets an HTTP error from a guest that %s', async (_, lie, code) => {
  const id = await runBox(lie);
  if (code === 'agent-timeout') {
    const guest = await home.runtime.running.expect(id).guest();
    await expect(guest.ratls(undefined, 30)).rejects.toMatchObject({ code });
    return;
  }
  const { body } = await home.call('POST', `/a3s/v1/boxes/${id}/ratls`);
  expect(body).toMatchObject({ code });
  expect((body as { message: string }).message).not.toMatch(/\p{Cc}/u);
  expect(lines(id)).toBe(0);
});

it('a guest that sends endlessly is paused while its RA-TLS client reads nothing', async () => {
  const id = await runBox(endless);
  const before = process.memoryUsage().rss;
  const all = Array.from({ length: 16 }, () => connect(id));
  for (const { first } of all) expect(statusOf(await first)).toBe('101');
  for (let n = 0; n < 20; n += 1) await expectWorks(id);
  expect(process.memoryUsage().rss - before).toBeLessThan(MOST_MEMORY);
  for (const { socket } of all) socket.destroy();
  await expect.poll(() => lines(id), { timeout: 20_000 }).toBe(0);
  await expectWorks(id);
}, 60_000);

it('bytes that are not TLS are refused as evidence', async () => {
  const id = await runBox(endless);
  expect(await home.call('GET', `/a3s/v1/boxes/${id}/evidence`)).toMatchObject({
    status: 500,
    body: { code: 'agent-failed' },
  });
  await expect.poll(() => lines(id)).toBe(0);
});
