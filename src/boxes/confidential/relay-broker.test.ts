import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Duplex } from 'node:stream';
import { expect, it } from 'vitest';
import type { Guest } from '../../guest/guest.ts';
import type { Services } from '../services/services.ts';
import { relayBroker, relayWhileTaking } from './relay-broker.ts';

const ID = 'a'.repeat(64);

interface Logged {
  readonly message: string;
  readonly error: unknown;
  readonly fields: unknown;
}

/** Relays for a box that waits until `open` has been asked for all of its connections. */
async function relayed(
  port: number,
  open: readonly (() => Promise<Duplex>)[],
  {
    state = 'waiting',
    refresh,
    tokens,
  }: { readonly state?: string; readonly refresh?: number; readonly tokens?: true } = {},
): Promise<Logged[]> {
  const logged: Logged[] = [];
  const ended = new AbortController();
  const broker = { host: '127.0.0.1', port, tenant: 'default', key: 'a'.repeat(64), tokens };
  const box = {
    definition: { confidential: { broker, secrets: [{ name: 'token', refresh }] } },
    state: { run: 1, status: 'running', launch: { secrets: { state } } },
  };
  const log = {
    error: (message: string, error: unknown, fields: unknown) =>
      logged.push({ message, error, fields }),
  };
  const rt = { store: { get: () => box }, log } as unknown as Pick<Services, 'log' | 'store'>;
  const left = [...open];
  const guest = {
    brokerConnection: async () => {
      const next = left.shift();
      if (next !== undefined) return await next();
      ended.abort();
      throw new Error('the box has ended');
    },
  } as unknown as Guest;
  const running = { id: ID, run: 1, signal: ended.signal, guest: async () => guest };
  await relayBroker(rt, running, 1);
  return logged;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A connection of a guest, whose end the next one waits for. */
function connection(): { readonly guest: Duplex; readonly closed: Promise<unknown> } {
  const guest = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  return { guest, closed: once(guest, 'close') };
}

const refusing = (reason: string) => async () => {
  throw new Error(reason);
};

it('logs the first failure to connect to a broker, and each change of it', async () => {
  const port = await freePort();
  const [one, two, three] = [connection(), connection(), connection()];
  const server = createServer((socket) => socket.end());
  const logged = await relayed(port, [
    async () => one.guest,
    async () => {
      await one.closed;
      return two.guest;
    },
    async () => {
      await two.closed;
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      return three.guest;
    },
    async () => {
      await three.closed;
      return await refusing('done')();
    },
  ]);
  server.close();
  expect(logged).toEqual([
    {
      message: 'cannot connect to the broker of a box',
      error: expect.objectContaining({ code: 'ECONNREFUSED' }),
      fields: { box: ID, host: '127.0.0.1', port },
    },
    expect.objectContaining({ message: 'cannot open a broker connection to a guest' }),
  ]);
});

it('logs once that a guest refuses, until it refuses for another reason', async () => {
  const logged = await relayed(1, [
    ...[refusing('one'), refusing('one'), refusing('one'), refusing('other'), refusing('other')],
  ]);
  expect(logged.map(({ message, error }) => [message, String(error)])).toEqual([
    ['cannot open a broker connection to a guest', 'Error: one'],
    ['cannot open a broker connection to a guest', 'Error: other'],
  ]);
});

it('carries a guest that has its secrets where it refreshes them or gives tokens, and no other', async () => {
  let opened = 0;
  const open = [
    async () => {
      opened += 1;
      return connection().guest;
    },
  ];
  await relayed(await freePort(), open, { state: 'ready' });
  expect(opened).toBe(0);
  await relayed(await freePort(), open, { state: 'ready', refresh: 300 });
  expect(opened).toBe(1);
  await relayed(await freePort(), open, { state: 'none', tokens: true });
  expect(opened).toBe(2);
});

it('carries the connections of a guest while it takes a launch spec with keys, and no longer', async () => {
  const broker = createServer((socket) => socket.end('the key')).listen(0, '127.0.0.1');
  await once(broker, 'listening');
  const { port } = broker.address() as AddressInfo;
  const box = {
    definition: {
      confidential: { broker: { host: '127.0.0.1', port }, secrets: [] },
      volumeMounts: [{ sealed: { key: 'default/db/key' } }],
    },
  };
  const rt = { store: { get: () => box }, log: { error: () => undefined } };
  let read = '';
  let open = 0;
  let began = (): void => undefined;
  const carried = new Promise<void>((resolve) => {
    began = resolve;
  });
  const guest = {
    brokerConnection: (signal: AbortSignal) => {
      open += 1;
      if (open > 1) {
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            open -= 1;
            reject(signal.reason);
          });
        });
      }
      return Promise.resolve(
        new Duplex({
          read: () => undefined,
          write: (part, _, done) => {
            read += String(part);
            done();
            began();
          },
        }),
      );
    },
  };
  const running = {
    id: ID,
    run: 1,
    signal: new AbortController().signal,
    guest: async () => guest,
  };
  const taken = await relayWhileTaking(rt as never, running as never, async () => {
    await carried;
    return 'taken';
  });
  expect({ taken, read }).toEqual({ taken: 'taken', read: 'the key' });
  expect(open).toBeLessThan(2);
  broker.close();
  await once(broker, 'close');
});

it('asks a guest without such volumes for no connection while it takes its launch spec', async () => {
  const broker = { host: '127.0.0.1', port: 1 };
  const volumeMounts = [{ sealed: { counter: 'default/db/data' } }];
  const box = { definition: { confidential: { broker }, volumeMounts } };
  const rt = { store: { get: () => box } };
  const guest = () => Promise.reject(new Error('it is asked'));
  const running = { id: ID, run: 1, signal: new AbortController().signal, guest };
  expect(await relayWhileTaking(rt as never, running as never, async () => 1)).toBe(1);
});
