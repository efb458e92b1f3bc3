import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { confidentialBoxes, TIMEOUT } from '../testing/confidential-boxes.ts';
import { TestHome } from '../testing/home.ts';
import { FakeImages, TEST_IMAGE } from '../testing/images.ts';
import { allowConfidential } from '../testing/signed-images.ts';

let home: TestHome;
let server: Server;
const sockets: Socket[] = [];
/** Connections that agents make to their broker. */
const streams: ServerHttp2Stream[] = [];
const arrivals = new EventEmitter();
beforeEach(async () => {
  // A broker that answers in capitals.
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (data) => socket.write(data.toString().toUpperCase()));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  home = new TestHome(new FakeImages(TEST_IMAGE));
  home.trust.rules = [allowConfidential('**')];
  home.guestOptions = {
    broker: (stream) => {
      stream.on('error', () => undefined);
      streams.push(stream);
      arrivals.emit('stream');
    },
  };
  await home.start();
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  streams.splice(0);
  server.close();
  await home.remove();
});

const { changed, guestOf, inspect, record, running } = confidentialBoxes(() => home);

const fetching = () => ({
  Broker: {
    Host: '127.0.0.1',
    Port: (server.address() as AddressInfo).port,
    Key: 'a'.repeat(64),
  },
  Secrets: [{ Name: 'token', Resource: 'default/db/token' }],
});

async function next(): Promise<ServerHttp2Stream> {
  const stream = streams.shift();
  if (stream !== undefined) return stream;
  await once(arrivals, 'stream', { signal: TIMEOUT() });
  return await next();
}

async function eventsOf(id: string): Promise<readonly Record<string, unknown>[]> {
  const filters = encodeURIComponent(JSON.stringify({ container: [id] }));
  const until = Math.floor(Date.now() / 1000) + 1;
  const { body } = await home.call('GET', `/events?since=0&until=${until}&filters=${filters}`);
  const lines = (typeof body === 'string' ? body : JSON.stringify(body)).trim().split('\n');
  return lines.map((line) => JSON.parse(line));
}

describe('a box that fetches its secrets', () => {
  it('carries the bytes of a box to its broker and back, again and again', async () => {
    const id = await running(fetching());
    for (const word of ['one', 'two']) {
      const stream = await next();
      stream.write(word);
      const [answer] = await once(stream, 'data');
      expect(String(answer)).toBe(word.toUpperCase());
      stream.close();
    }
    expect((await inspect(id)).Confidential).toMatchObject({
      SecretsState: 'waiting',
      Broker: { Host: '127.0.0.1', Tenant: 'default', Key: 'a'.repeat(64) },
      Secrets: [{ Name: 'token', Resource: 'default/db/token', Delivered: false }],
    });
    guestOf(id).deliver('token');
    await changed(id, ({ state }) => state.launch?.secrets.state === 'ready');
  });

  it('goes on with its broker and its secrets while it is paused, and afterwards', async () => {
    const id = await running({
      ...fetching(),
      HostMay: ['signals'],
      Secrets: ['one', 'two'].map((Name) => ({ Name, Resource: `default/db/${Name}` })),
    });
    (await next()).close();
    expect((await home.call('POST', `/containers/${id}/pause`)).status).toBe(204);
    // More than can have been under way when it was paused.
    for (let count = 0; count < 6; count += 1) (await next()).close();
    guestOf(id).deliver('one');
    await changed(id, ({ state }) => state.launch?.secrets.delivered.length === 1);
    expect(record(id).state.status).toBe('paused');
    expect((await home.call('POST', `/containers/${id}/unpause`)).status).toBe(204);
    for (let count = 0; count < 6; count += 1) (await next()).close();
    guestOf(id).deliver('two');
    await changed(id, ({ state }) => state.launch?.secrets.state === 'ready');
  });

  it('ends the connection of an agent with that of its broker', async () => {
    await running(fetching());
    const stream = await next();
    stream.write('x');
    await once(stream, 'data');
    for (const socket of sockets) socket.destroy();
    await once(stream, 'close');
    expect((await next()).destroyed).toBe(false);
  });

  it('ends the connection of an agent where nobody is its broker', async () => {
    const asked = fetching();
    server.close();
    const id = await running(asked);
    const stream = await next();
    if (!stream.closed) await once(stream, 'close');
    expect(record(id).state.status).toBe('running');
    const log = readFileSync(join(home.config.home, 'server.log'), 'utf8');
    expect(log).toContain('cannot connect to the broker of a box');
  });

  it.each([
    ['secret-refused', 'refused', 'the secret was refused: the broker answers kbs-denied'],
    [
      'secrets-not-fetched',
      'expired',
      'the secrets did not come in time: the broker answers kbs-busy',
    ],
  ])('ends with %s, and says what its broker answered', async (code, state, message) => {
    const id = await running(fetching());
    guestOf(id).refuse(code, message);
    await changed(id, (box) => box.state.status === 'exited');
    const { State, Confidential } = await inspect(id);
    expect(State).toMatchObject({ Status: 'exited', ExitCode: 125, Error: message });
    expect(Confidential).toMatchObject({ SecretsState: state });
    const found = (await eventsOf(id)).filter(({ Action }) => Action === `secrets-${state}`);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({
      Actor: { Attributes: { error: code, reason: message, tee: 'SIMULATED' } },
    });
  });

  it.each([
    ['refused', 'a secret was refused to it'],
    ['expired', 'its broker did not give its secrets in time'],
  ] as const)('says why it ended when no server saw its exit: %s', async (state, error) => {
    const id = await running(fetching());
    const { launch } = record(id).state;
    if (launch === undefined) throw new Error('it was not launched');
    home.runtime.store.amend(id, { launch: { ...launch, secrets: { state, delivered: [] } } });
    home.host.vm(id)?.poweroff();
    await changed(id, (box) => box.state.status === 'exited');
    expect(record(id).state).toMatchObject({ exitCode: 125, error });
  });

  it('goes on with its broker after a restart of the server', async () => {
    await running(fetching());
    await next();
    await home.crash();
    streams.splice(0);
    await home.start();
    const stream = await next();
    stream.write('again');
    const [answer] = await once(stream, 'data');
    expect(String(answer)).toBe('AGAIN');
  });

  it('refuses a broker where the agent of the boot set does not fetch', async () => {
    const { confidential } = home.boot;
    if (confidential === undefined) throw new Error('no confidential boot files');
    home.boot = { ...home.boot, confidential: { ...confidential, launchSpec: 4 } };
    const answer = await home.call('POST', '/containers/create', {
      Image: 'busybox',
      Confidential: { Tee: 'simulate', ...fetching() },
    });
    expect(answer).toMatchObject({ status: 400, body: { code: 'unsupported-option' } });
    expect((await home.call('GET', '/containers/json?all=1')).body).toEqual([]);
  });
});
